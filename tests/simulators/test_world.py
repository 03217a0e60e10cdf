"""The world: events in their order, its inputs by name, and the truth about modules."""

import json

import pytest

from cellctl_simulators import Lines, Outputs, World

S = 1_000_000_000


class Ticker:
    """Counts at its own times; adds what it is given."""

    def __init__(self, period_ns, log=None):
        self.inputs = {"step": 1, "name": "", "level": 0.0, "ready": True}
        self.wire = Lines()
        self._period_ns = period_ns
        self._next_ns = period_ns
        self._count = 0
        self._log = log

    def update(self, now_ns, inputs):
        if now_ns >= self._next_ns:
            self._count += inputs["step"]
            self._next_ns += self._period_ns
            if self._log is not None:
                self._log.append((now_ns, self._period_ns))
        return Outputs({"count": self._count}, self._next_ns)


def test_events_happen_in_the_order_of_their_time_however_late_one_looks():
    log = []
    world = World({"slow": Ticker(3, log), "fast": Ticker(2, log)})
    assert world.advance(7) == 8
    assert log == [(2, 2), (3, 3), (4, 2), (6, 3), (6, 2)], "at the same time: as the world lists them"
    assert world.get("fast.count") == 3
    assert world.now_ns == 7


def test_time_does_not_go_back():
    world = World({"a": Ticker(2)})
    world.advance(9)
    world.advance(3)
    assert world.now_ns == 9


def test_an_output_that_feeds_an_input_arrives_at_the_same_time():
    class Chain(World):
        def connect(self):
            self.inputs["second.step"] = self.outputs.get("first.count", 0)

    world = Chain({"second": Ticker(10), "first": Ticker(10)})
    world.advance(10)
    assert world.get("second.step") == 1


def test_consequences_are_drawn_once_a_change():
    class Watcher(World):
        seen: list = []  # noqa: RUF012

        def changed(self, name, value):
            self.seen.append((name, value))

    world = Watcher({"a": Ticker(5)})
    for now_ns in range(0, 12, 2):
        world.advance(now_ns)
    assert world.seen == [("a.count", 0), ("a.count", 1), ("a.count", 2)]


def test_models_that_never_rest_are_an_error():
    class Restless(Ticker):
        def update(self, now_ns, inputs):
            self._count += 1
            return Outputs({"count": self._count})

    class Mirrors(World):
        def connect(self):
            self.inputs["a.step"] = self.outputs.get("b.count", 0)
            self.inputs["b.step"] = self.outputs.get("a.count", 0)

    with pytest.raises(RuntimeError, match="do not come to rest"):
        Mirrors({"a": Restless(1), "b": Restless(1)}).advance(0)


def test_only_those_models_are_updated_for_which_something_is_new():
    class Counting(Ticker):
        updates = 0

        def update(self, now_ns, inputs):
            self.updates += 1
            return super().update(now_ns, inputs)

    class Chain(World):
        def connect(self):
            self.inputs["second.step"] = self.outputs.get("first.count", 0)

    first, second, third = Counting(10), Counting(1000), Counting(1000)
    world = Chain({"first": first, "second": second, "third": third})
    world.advance(0)
    assert world.updated() == {"first", "second", "third"}
    before = [each.updates for each in (first, second, third)]
    world.advance(5, ["third"])
    assert world.updated() == {"third"}
    world.advance(10, ["first"])
    assert world.updated() == {"first", "second"}, "what the first counts is new to the second"
    world.set("third.level", 2.0)
    world.advance(11, ["first"])
    assert world.updated() == {"first", "third"}
    assert [each.updates for each in (first, second, third)] == [before[0] + 2, before[1] + 1, before[2] + 2]


def test_inputs_may_be_set_in_any_way_a_dict_knows():
    world = World({"a": Ticker(5)})
    world.inputs.update({"a.step": 2})
    world.inputs |= {"a.level": 3.0}
    world.advance(5)
    assert (world.get("a.count"), world.get("a.level")) == (2, 3.0)


def test_inputs_are_set_by_name_and_type():
    world = World({"a": Ticker(5)})
    world.set("a.step", 3)
    world.set("a.level", 2)
    world.set("a.ready", False)
    world.advance(5)
    assert (world.get("a.count"), world.get("a.level"), world.get("a.ready")) == (3, 2.0, False)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("a.stepp", 1, "there is no input 'a.stepp'; did you mean 'a.step'\\?"),
        ("zzz", 1, "known are a.level, a.name, a.ready, a.step"),
        ("a.step", True, "a.step is of type int, True is not"),
        ("a.step", 1.5, "of type int"),
        ("a.ready", 1, "of type bool"),
        ("a.level", "high", "of type float"),
    ],
)
def test_what_does_not_fit_is_refused_with_a_hint(name, value, message):
    with pytest.raises(ValueError, match=message):
        World({"a": Ticker(5)}).set(name, value)


def test_an_unknown_value_is_refused_with_a_hint():
    world = World({"a": Ticker(5)})
    world.advance(0)
    with pytest.raises(ValueError, match=r"did you mean 'a\.count'"):
        world.get("a.cuont")


def make_part(bench, points, *, good=True):
    bench.feed()
    bench.carry(1, 2)
    bench.clamp(True)
    bench.tell("laser", "PWR 1450")
    bench.laser_on()
    for point in points:
        bench.goto(100 + point)
        bench.fire(bench.next_token())
    bench.tell("laser", "OFF")
    bench.clamp(False)
    bench.carry(2, 3)
    bench.tell("eol", f"TEST:STAR {bench.next_token()},1.0", wait_ns=2 * S)
    bench.carry(3, 4 if good else 5)


def test_a_module_goes_through_the_cell(bench):
    make_part(bench, [1, 2, 3])
    make_part(bench, [1], good=False)
    truth = bench.truth()
    assert truth["violations"] == []
    assert (truth["fed"], truth["good"], truth["reject"], truth["blanks"]) == (2, 1, 1, 9998)
    first, second = truth["parts"]["M000001"], truth["parts"]["M000002"]
    assert (first["welds"], first["bin"], len(first["peaks"]), len(first["tests"])) == ([1, 2, 3], "good", 3, 1)
    assert (second["welds"], second["bin"], second["place"]) == ([1], "reject", "reject_bin")
    assert truth["energy_kwh"] > 0
    assert json.loads(json.dumps(truth)) == truth


def test_the_same_seed_makes_the_same_world(new_bench):
    def story(seed):
        bench = new_bench(seed=seed)
        bench.activate()
        make_part(bench, [1, 2, 3])
        return bench.truth()

    assert story(3) == story(3)
    assert story(3)["parts"] != story(4)["parts"]


def test_a_repeated_token_welds_once(bench):
    bench.feed()
    bench.carry(1, 2)
    bench.clamp(True)
    bench.laser_on()
    bench.goto(101)
    assert bench.fire(500) == bench.fire(500)
    assert bench.truth()["parts"]["M000001"]["welds"] == [1]


def test_a_module_in_the_gripper_is_in_no_nest(bench):
    bench.feed()
    bench.goto(1)
    bench.close()
    assert bench.truth()["parts"]["M000001"]["place"] == "gripper"
    assert bench.wires["plc"]["Load.Occupied"] is False
    bench.open()
    assert bench.wires["plc"]["Load.Occupied"] is True


def closing_on_nothing(bench):
    bench.goto(1)
    bench.close()


def dropping_a_module(bench):
    bench.feed()
    bench.carry(1, 0)


def putting_one_module_on_another(bench):
    bench.feed()
    bench.carry(1, 2)
    bench.feed()
    bench.carry(1, 2)


def pulling_at_a_clamped_module(bench):
    bench.feed()
    bench.carry(1, 2)
    bench.clamp(True)
    bench.carry(2, 3)


def putting_down_on_the_closed_clamp(bench):
    bench.feed()
    bench.clamp(True)
    bench.carry(1, 2)


def welding_no_module(bench):
    bench.laser_on()
    bench.goto(101)
    bench.fire(1000)


def welding_in_the_open_clamp(bench):
    bench.feed()
    bench.carry(1, 2)
    bench.laser_on()
    bench.goto(101)
    bench.fire(1000)


def welding_off_a_point(bench):
    bench.feed()
    bench.carry(1, 2)
    bench.clamp(True)
    bench.laser_on()
    bench.fire(1000)


def moving_during_a_shot(bench):
    bench.feed()
    bench.carry(1, 2)
    bench.clamp(True)
    bench.laser_on()
    bench.goto(101)
    bench.tell("laser", "WDG")
    bench.tell("laser", "FIRE 1000 200")
    bench.goto(102)


def testing_no_module(bench):
    bench.tell("eol", "TEST:STAR 5,0.5", wait_ns=S)


@pytest.mark.parametrize(
    ("mistake", "violation"),
    [
        (closing_on_nothing, "the gripper closed on nothing at load_nest"),
        (dropping_a_module, "M000001 was dropped"),
        (putting_one_module_on_another, "M000002 was put onto M000001 in the weld_nest"),
        (pulling_at_a_clamped_module, "the arm pulled M000001 out of the closed clamp"),
        (putting_down_on_the_closed_clamp, "M000001 was put onto the closed clamp"),
        (welding_no_module, "the laser fired at no module"),
        (welding_in_the_open_clamp, "M000001 was welded in an open clamp"),
        (welding_off_a_point, "the laser fired off a weld point"),
        (moving_during_a_shot, "the arm moved during a weld shot"),
        (testing_no_module, "the insulation was tested with no module in the nest"),
    ],
)
def test_what_should_not_happen_is_written_down(bench, mistake, violation):
    mistake(bench)
    assert violation in bench.violations()
