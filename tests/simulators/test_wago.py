"""WAGO 750: the model's watchdog against the manuals, and the profile against the model."""

import pytest

from cellctl_simulators.models.wago import Coupler750
from cellctl_simulators.wire import ModbusError

from .phase_trial import trial

MS = 1_000_000
S = 1_000_000_000
AT = "modbus://10.20.1.47:502"
TIME, MASK, TRIGGER, STOP, STATUS, RESTART, STOP_SIMPLY = 0x1000, 0x1001, 0x1003, 0x1005, 0x1006, 0x1007, 0x1008


class Hand:
    """A client's hand on the coupler: everything is at a time."""

    def __init__(self):
        self.coupler, self.now_ns = Coupler750(), 0
        self.wait(0)

    def wait(self, duration_ns):
        self.now_ns += duration_ns
        self.watchdog = self.coupler.update(self.now_ns, {}).outputs["watchdog"]

    def write(self, address, value):
        self.wait(0)
        self.coupler.wire.write(6, address, [value])
        self.wait(0)

    def read(self, address, count=1):
        self.wait(0)
        values = self.coupler.wire.read(3, address, count)
        self.wait(0)
        return values

    def start(self, *, mask=0xFFFF):
        for address, value in ((TIME, 10), (MASK, mask), (TRIGGER, 1)):
            self.write(address, value)
        return self


def test_it_says_what_it_is():
    assert Hand().read(0x2011, 2) == [750, 352]
    assert Hand().read(0x1024, 2) == [16, 16]


def test_requests_of_the_mask_feed_the_watchdog():
    hand = Hand().start(mask=1 << 2)  # function 3
    for _ in range(5):
        hand.wait(900 * MS)
        assert hand.read(STATUS) == [1]
    hand.wait(900 * MS)
    with pytest.raises(ModbusError):
        hand.write(TIME, 20)
    hand.wait(100 * MS)
    assert hand.watchdog == 2, "function 6 feeds nothing"


def test_once_it_has_expired_nothing_else_is_answered():
    hand = Hand().start()
    hand.wait(S)
    for address in (STATUS, 0x2011, 0x1029):
        with pytest.raises(ModbusError) as refusal:
            hand.read(address)
        assert refusal.value.code == 4
    hand.write(STOP, 0xAAAA)
    with pytest.raises(ModbusError):
        hand.write(TIME, 10)
    hand.write(STOP, 0x5555)
    assert hand.watchdog == 2, "the two must follow each other"
    hand.write(STOP, 0xAAAA)
    hand.write(STOP, 0x5555)
    assert hand.read(STATUS) == [0]


@pytest.mark.parametrize(("address", "value", "state"), [(STOP_SIMPLY, 0x55AA, 0), (RESTART, 1, 1), (TRIGGER, 2, 1)])
def test_it_is_stopped_or_started_anew(address, value, state):
    hand = Hand().start()
    hand.wait(S)
    hand.write(address, value)
    assert hand.read(STATUS) == [state]


@pytest.mark.parametrize(("address", "value"), [(STOP_SIMPLY, 1), (RESTART, 0), (TRIGGER, 1), (TRIGGER, 0)])
def test_what_does_not_start_it(address, value):
    hand = Hand().start()
    hand.wait(S)
    hand.write(address, value)
    assert hand.watchdog == 2


def test_without_a_time_it_does_not_start():
    hand = Hand()
    hand.write(TIME, 0)
    hand.write(TRIGGER, 1)
    assert hand.watchdog == 0


def test_the_statistics_are_one_item():
    hand = Hand()
    for _ in range(3):
        with pytest.raises(ModbusError):
            hand.read(0x0F00)
    counts = hand.read(0x1029, 9)
    assert (counts[4], counts[8]) == (3, 4)
    with pytest.raises(ModbusError):
        hand.read(0x1029, 1)
    hand.write(0x1029, 0xAA55)
    assert hand.read(0x1029, 9)[4] == 0


def test_the_watchdog_runs_while_the_cell_reads(tmp_path):
    body = """
        await c.sleep("5 s")
        c.record("watchdog", c.dev.watchdog.value)
        c.record("time", c.dev.watchdog_time.value)
        c.record("what", c.dev.series.value * 1000 + c.dev.item.value)
        c.record("failures", c.dev.device_failures.value)
    """
    told, outputs = trial(tmp_path, "wago.750", AT, body)
    assert told == {"watchdog": 1, "time": 2000, "what": 750_352, "failures": 0}
    assert outputs["watchdog"] == 1
