"""The models of frequency inverters, against what their makers' documents say of the registers."""

import pytest

from cellctl_simulators.models.delta import Ms300, Vfd
from cellctl_simulators.models.schneider import Altivar
from cellctl_simulators.models.siemens import V20
from cellctl_simulators.wire import ModbusError

S = 1_000_000_000


class Hand:
    """A client's hand on a drive: every write and every read is at a time."""

    def __init__(self, drive, **inputs):
        self.drive, self.inputs, self.now_ns = drive, {"fault": 0, "speed": 1.0, **inputs}, 0
        self.outputs = {}
        self._update()

    def _update(self):
        result = self.drive.update(self.now_ns, self.inputs)
        self.outputs |= result.outputs
        return result.call_at_ns

    def wait(self, seconds):
        """Let time pass, with nobody on the wire."""
        end_ns = self.now_ns + round(seconds * S)
        while (due_ns := self._update()) is not None and due_ns <= end_ns:
            self.now_ns = due_ns
        self.now_ns = end_ns
        self._update()
        return self

    def write(self, address, *values):
        for value in values:
            self._update()
            self.drive.wire.write(6, address, [value])
            self._update()
        return self

    def read(self, address):
        self._update()
        return self.drive.wire.read(3, address, 1)[0]

    def watch(self, address, seconds):
        """Let time pass while a client reads every 200 ms."""
        for _ in range(round(seconds * 5)):
            self.wait(0.2).read(address)
        return self

    def suffer(self, fault):
        self.inputs["fault"] = fault
        self._update()
        self.inputs["fault"] = 0
        self._update()
        return self


def refused(drive, function, address, count=1):
    with pytest.raises(ModbusError) as refusal:
        drive.wire.read(function, address, count)
    return refusal.value.code


# --- Delta: control 2000h, frequency 2001h, reset 2002h; fault 2100h, state 2101h, frequencies 2102h and 2103h


@pytest.mark.parametrize("model", [Vfd, Ms300])
def test_one_is_stop_and_not_run(model):
    hand = Hand(model()).write(0x2001, 5000).write(0x2000, 0x01).wait(5)
    assert (hand.read(0x2101) & 3, hand.read(0x2103)) == (0, 0)
    hand.write(0x2000, 0x12).wait(5)
    assert (hand.read(0x2101) & 0b11011, hand.read(0x2103)) == (0b00011, 5000)
    hand.write(0x2000, 0x01).wait(0.1)
    assert hand.read(0x2101) & 3 == 1, "it is stopping"
    hand.wait(5)
    assert (hand.read(0x2101) & 3, hand.read(0x2103)) == (0, 0)


def test_a_delta_goes_through_standstill_into_reverse():
    hand = Hand(Vfd()).write(0x2001, 5000).write(0x2000, 0x12).wait(5).write(0x2000, 0x22).wait(0.5)
    assert hand.read(0x2101) >> 3 & 3 == 2, "from forward to reverse"
    hand.wait(5)
    assert (hand.read(0x2101) >> 3 & 3, hand.read(0x2103), hand.outputs["speed"]) == (3, 5000, -50.0)
    hand.write(0x2000, 0x30).wait(5)
    assert (hand.read(0x2101) & 0b11011, hand.outputs["speed"]) == (0b00011, 50.0), "bits 4-5: 3 is the other way"


def test_a_delta_at_0_hz_stands_by():
    assert Hand(Vfd()).write(0x2000, 0x12).wait(1).read(0x2101) & 3 == 2


def test_a_fault_stops_a_delta_until_it_is_cleared():
    hand = Hand(Vfd()).write(0x2001, 3000).write(0x2000, 0x12).wait(5).suffer(4)
    assert (hand.read(0x2100), hand.read(0x2101) & 3, hand.outputs["speed"]) == (4, 0, 0.0)
    hand.write(0x2000, 0x12).wait(1)
    assert hand.read(0x2101) & 3 == 0, "it does not run with a fault"
    hand.write(0x2002, 0b10).wait(1)
    assert (hand.read(0x2100), hand.read(0x2101) & 3) == (0, 0), "and not by itself afterwards"


def test_a_delta_answers_one_register_a_request_and_the_small_ones_no_rotation():
    assert refused(Vfd(), 3, 0x2101, 2) == 3
    assert refused(Vfd(), 3, 0x210C) == 2
    assert refused(Vfd(), 4, 0x2101) == 1
    hand = Hand(Ms300()).write(0x2001, 5000).write(0x2000, 0x12).wait(5)
    assert (hand.read(0x210C), hand.read(0x2106)) == (1500, 2300)


# --- Siemens V20: control word 99, set speed 100, status word 109, actual speed 110; 4000h is 100 %


def test_a_v20_starts_with_the_rising_edge_only():
    hand = Hand(V20()).write(100, 0x4000)
    hand.write(99, 0x047E).watch(109, 1)
    assert hand.read(109) & 0x7 == 0x1
    hand.write(99, 0x047F).watch(109, 3)
    assert (hand.read(109) & 0x4007, hand.read(110)) == (0x4007, 0x4000)
    hand.write(99, 0x047E).watch(109, 3)
    assert (hand.read(109) & 0x7, hand.read(110)) == (0x1, 0)


def test_a_v20_is_reversed_by_bit_11():
    hand = Hand(V20()).write(100, 0x2000).write(99, 0x0C7E, 0x0C7F).watch(109, 3)
    assert (hand.read(110), hand.read(109) & 0x4000) == (0x10000 - 0x2000, 0)


def test_a_v20_acknowledges_with_the_edge_of_bit_7_and_wants_another_start():
    hand = Hand(V20()).write(100, 0x4000).write(99, 0x047E, 0x047F).watch(109, 3).suffer(1)
    assert (hand.read(109) & 0x000F, hand.outputs["speed"]) == (0x0008, 0.0)
    hand.write(99, 0x04FF, 0x047F).watch(109, 1)
    assert hand.read(109) & 0x004F == 0x0041, "it is ready, but switching on is inhibited"
    hand.write(99, 0x047E, 0x047F).watch(109, 3)
    assert hand.read(109) & 0x004F == 0x0007


def test_a_v20_trips_when_its_client_is_silent_for_two_seconds():
    hand = Hand(V20()).write(100, 0x4000).write(99, 0x047E, 0x047F).watch(109, 10)
    assert hand.outputs == {"trip": 0, "speed": 100.0}
    hand.wait(1.5)
    assert hand.outputs["trip"] == 0
    hand.wait(1)
    assert hand.outputs == {"trip": 72, "speed": 0.0}
    assert hand.read(109) & 0x0008


def test_a_v20_that_nobody_drives_minds_no_silence():
    assert Hand(V20()).wait(60).outputs["trip"] == 0


def test_the_low_active_bits_of_a_v20_are_1_as_long_as_all_is_well():
    hand = Hand(V20()).write(99, 0x047E)
    assert hand.read(109) & 0xA930 == 0xA930
    hand.write(99, 0x047C)
    assert hand.read(109) & 0xA930 == 0xA920, "it coasts"


# --- Altivar: command 8501, set speed 8602, actual speed 8604, state 3201 (masked with 6Fh), last fault 7121


def state(hand):
    return hand.read(3201) & 0x6F


def test_an_altivar_goes_from_state_to_state():
    hand = Hand(Altivar()).write(8602, 1500)
    assert state(hand) == 0x40
    told = [state(hand.write(8501, command)) for command in (15, 7, 6, 15, 7, 15)]
    assert told == [0x40, 0x40, 0x21, 0x21, 0x23, 0x27]
    assert hand.wait(3).read(8604) == 1500
    assert state(hand.write(8501, 6)) == 0x21
    assert hand.wait(3).read(8604) == 0


def test_an_altivar_is_reversed_by_bit_11():
    hand = Hand(Altivar()).write(8602, 750).write(8501, 6, 7, 0x080F).wait(3)
    assert (hand.read(8604), hand.outputs["speed"]) == (0x10000 - 750, -750.0)


def test_an_altivar_keeps_the_code_of_its_last_fault():
    hand = Hand(Altivar()).write(8602, 750).write(8501, 6, 7, 15).wait(3).suffer(16)
    assert (state(hand), hand.read(7121), hand.outputs["speed"]) == (0x08, 16, 0.0)
    assert state(hand.write(8501, 6)) == 0x08, "a shutdown clears no fault"
    assert state(hand.write(8501, 0x80)) == 0x40
    assert hand.read(7121) == 16
