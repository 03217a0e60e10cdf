"""The site's own devices of the battery-module cell, against their interface sheets."""

import pytest

MS = 1_000_000
S = 1_000_000_000


def test_one_token_feeds_one_module(bench):
    plc = bench.wires["plc"]
    plc["Load.FeedToken"] = 7
    bench.wait(700 * MS)
    assert (plc["Load.FeedDone"], plc["Load.Occupied"], bench.truth()["fed"]) == (0, False, 0)
    bench.wait(200 * MS)
    assert (plc["Load.FeedDone"], plc["Load.Occupied"], plc["Load.ModuleCode"]) == (7, True, "M000001")
    plc["Load.FeedToken"] = 7
    bench.wait(5 * S)
    assert bench.truth()["fed"] == 1


def test_the_feeder_waits_until_the_nest_is_free(bench):
    bench.feed()
    bench.wires["plc"]["Load.FeedToken"] = 900
    bench.wait(5 * S)
    assert (bench.truth()["fed"], bench.wires["plc"]["Load.FeedDone"]) == (1, 1)
    bench.goto(1)
    bench.close()
    bench.wait(S)
    assert (bench.truth()["fed"], bench.wires["plc"]["Load.FeedDone"]) == (2, 900)
    assert bench.wires["plc"]["Load.ModuleCode"] == "M000002"


@pytest.mark.parametrize(("name", "value"), [("plc.blanks", 0), ("plc.magazine_ready", False)])
def test_without_modules_nothing_is_fed(bench, name, value):
    bench.world.set(name, value)
    bench.feed()
    assert bench.truth()["fed"] == 0
    assert bench.wires["plc"]["Cell.MagazineReady"] is False


def test_the_plc_tells_its_sensors(bench):
    bench.world.set("plc.guard_closed", False)
    bench.world.set("plc.air_pressure", 5)
    bench.wait(0)
    assert bench.wires["plc"]["Cell.GuardClosed"] is False
    assert bench.wires["plc"]["Cell.AirPressure"] == 5.0


def test_the_arm_moves_and_echoes_the_token(bench):
    robot = bench.wires["robot"]
    robot.write(16, 128, [2, 41])
    bench.wait(400 * MS)
    assert robot.read(3, 130, 2) == [0, 0]
    assert bench.world.get("robot.point") == -1
    bench.wait(200 * MS)
    assert robot.read(3, 130, 2) == [2, 41]
    robot.write(16, 128, [101, 42])
    bench.wait(600 * MS)
    robot.write(16, 128, [102, 43])
    bench.wait(130 * MS)
    assert robot.read(3, 130, 2) == [102, 43]


def test_the_arm_told_where_it_is_only_echoes(bench):
    bench.goto(2)
    bench.wires["robot"].write(16, 128, [2, 99])
    bench.wait(20 * MS)
    assert bench.wires["robot"].read(3, 130, 2) == [2, 99]


def test_the_same_token_with_another_point_is_another_order(bench):
    bench.wires["robot"].write(16, 128, [2, 5])
    bench.wait(S)
    bench.wires["robot"].write(16, 128, [3, 5])
    bench.wait(100 * MS)
    assert bench.wires["robot"].read(3, 130, 2) == [2, 0]
    bench.wait(S)
    assert bench.wires["robot"].read(3, 130, 2) == [3, 5]


def test_a_point_that_does_not_exist_is_not_gone_to(bench):
    bench.wires["robot"].write(16, 128, [77, 5])
    bench.wait(S)
    assert bench.wires["robot"].read(3, 130, 2) == [0, 0]


def test_a_protective_stop_pauses_the_move(bench):
    bench.wires["robot"].write(16, 128, [2, 5])
    bench.wait(200 * MS)
    bench.world.set("robot.protective_stop", True)
    bench.wait(10 * S)
    assert bench.wires["robot"].read(3, 131, 1) == [0]
    bench.world.set("robot.protective_stop", False)
    bench.wait(250 * MS)
    assert bench.wires["robot"].read(3, 131, 1) == [0]
    bench.wait(100 * MS)
    assert bench.wires["robot"].read(3, 131, 1) == [5]


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("*IDN?", "LX2,0042,1.4"),
        ("PWR?", "PWR 0"),
        ("PWR 1450", "OK"),
        ("PWR 2001", "ERR 2"),
        ("PWR x", "ERR 2"),
        ("ON?", "ON 0"),
        ("RDY?", "RDY 0"),
        ("WIN?", "WIN 98.0"),
        ("LAST?", "LAST 0 0.0"),
        ("PEAK?", "PEAK 0.0"),
        ("WDG", "OK"),
        ("OFF", "OK"),
        ("FIRE 1 80", "ERR 3"),
        ("FIRE 1 500", "ERR 2"),
        ("FIRE 0 80", "ERR 2"),
        ("FIRE", "ERR 2"),
        ("JUMP", "ERR 1"),
        ("", "ERR 1"),
    ],
)
def test_what_the_laser_answers_when_off(bench, line, answer):
    assert bench.tell("laser", line) == [answer]


def test_the_laser_gets_ready(bench):
    assert bench.tell("laser", "ON") == ["OK"]
    assert bench.tell("laser", "RDY?") == ["RDY 0"]
    assert bench.tell("laser", "FIRE 1 80") == ["ERR 4"]
    bench.wait(300 * MS)
    assert bench.tell("laser", "RDY?") == ["RDY 1"]
    assert bench.tell("laser", "ON?") == ["ON 1"]


def test_the_laser_answers_a_shot_when_it_is_over(bench):
    bench.tell("laser", "PWR 1450")
    bench.laser_on()
    shot = bench.tell("laser", "FIRE 5 80", wait_ns=90 * MS)
    assert shot == []
    assert bench.tell("laser", "FIRE 6 80") == ["ERR 4"]
    bench.wait(10 * MS)
    _, token, _, peak = shot[0].split()
    assert token == "5"
    assert 0.9 * 1450 < float(peak) < 1450
    assert bench.tell("laser", "LAST?") == [f"LAST 5 {peak}"]
    assert bench.tell("laser", "PEAK?") == [f"PEAK {peak}"]


def test_a_token_fires_once(bench):
    bench.laser_on()
    first = bench.fire(5)
    bench.tell("laser", "OFF")
    assert bench.tell("laser", "FIRE 5 80") == first
    assert bench.world.get("laser.shots") == 1


def test_the_laser_switches_itself_off_without_its_watchdog(new_bench):
    for speed in (1.0, 10.0):
        bench = new_bench(speed=speed)
        bench.tell("laser", "ON")
        for _ in range(3):
            bench.wait(int(1.4 * speed * S))
            bench.tell("laser", "WDG")
        assert bench.tell("laser", "ON?") == ["ON 1"]
        bench.wait(int(1.5 * speed * S))
        assert bench.tell("laser", "ON?") == ["ON 0"]


def test_power_window_and_chance_make_the_peak(new_bench):
    def peaks(power, *, seed=0, **inputs):
        bench = new_bench(seed=seed)
        for name, value in inputs.items():
            bench.world.set(f"laser.{name}", value)
        bench.tell("laser", f"PWR {power}")
        bench.laser_on()
        return [float(bench.fire(token)[0].split()[-1]) for token in range(1, 21)]

    good = peaks(1450)
    assert min(good) > 0.9 * 1450
    assert peaks(1450) == good, "the same seed, the same shots"
    assert peaks(1450, seed=1) != good
    assert max(peaks(1450, window=60.0)) < 0.7 * 1450
    assert max(peaks(1450, weak_rate=1.0)) < 0.85 * 1450
    mixed = peaks(1450, weak_rate=0.3)
    assert 2 <= sum(peak < 0.85 * 1450 for peak in mixed) <= 12


def test_the_tester_measures_once_a_token(bench):
    bench.feed()
    bench.carry(1, 3)
    assert bench.tell("eol", "*IDN?") == ["EXAMPLE,HP500,10482,2.3"]
    assert bench.tell("eol", "STAT?") == ["IDLE"]
    assert bench.tell("eol", "SOUR:VOLT 500") == []
    assert bench.tell("eol", "SOUR:VOLT?") == ["500.0"]
    assert bench.tell("eol", "TEST:STAR 9,2.0") == []
    bench.wait(1900 * MS)
    assert bench.tell("eol", "STAT?") == ["RUN"]
    assert bench.tell("eol", "FETC:RES?") == ["9.9000E+37"]
    bench.wait(100 * MS)
    assert bench.tell("eol", "STAT?") == ["DONE"]
    assert bench.tell("eol", "TEST:TOK?") == ["9"]
    [resistance] = bench.tell("eol", "FETC:RES?")
    assert 600 < float(resistance) < 1100
    bench.tell("eol", "TEST:STAR 9,2.0", wait_ns=3 * S)
    assert len(bench.truth()["parts"]["M000001"]["tests"]) == 1


def test_the_tester_keeps_what_was_wrong(bench):
    for wrong, error in {
        "FETC:CURR?": "-113",
        "SOUR:VOLT 5000": "-222",
        "TEST:STAR 9": "-222",
        "TEST:STAR 0,2": "-222",
        "OUTP ON": "-222",
    }.items():
        assert bench.tell("eol", wrong) == []
        assert bench.tell("eol", "SYST:ERR?")[0].startswith(error)
        assert bench.tell("eol", "SYST:ERR?") == ['0,"No error"']


def test_off_ends_the_test(bench):
    bench.tell("eol", "TEST:STAR 9,2.0")
    bench.tell("eol", "TEST:STAR 10,2.0")
    assert bench.tell("eol", "SYST:ERR?") == ['-213,"Init ignored"']
    bench.tell("eol", "OUTP OFF", wait_ns=5 * S)
    assert bench.tell("eol", "STAT?") == ["IDLE"]
    assert bench.tell("eol", "TEST:TOK?") == ["0"]


def test_bad_insulation_is_measured(bench):
    bench.feed()
    bench.carry(1, 3)
    bench.world.set("eol.insulation", 40.0)
    bench.tell("eol", "TEST:STAR 9,0.1", wait_ns=S)
    assert float(bench.tell("eol", "FETC:RES?")[0]) < 60
