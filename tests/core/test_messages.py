"""Messages: frozen values, whose names are taken apart in one place."""

from dataclasses import FrozenInstanceError

import pytest

from cellctl.core.messages import CommandClass, Done, Outcome, Request, Tick, Write


def test_a_write_knows_its_device_and_its_signal() -> None:
    write = Write(1, "plc.air.valve", True, 5)
    assert (write.device, write.name, write.command_class) == ("plc", "air.valve", CommandClass.LEVEL)


@pytest.mark.parametrize("message", [Tick(), Done(1, Outcome.UNKNOWN), Write(1, "a.b", 1, 2), Request("r", Tick())])
def test_a_message_cannot_be_changed(message: object) -> None:
    with pytest.raises((FrozenInstanceError, TypeError, AttributeError)):
        message.id = 2  # type: ignore[attr-defined]
