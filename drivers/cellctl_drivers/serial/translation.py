"""What a line device says and is told, as text: the lines of its golden vectors.

The rule kept here: a line stands there without its end.
"""

from collections.abc import Sequence

from cellctl.driver import Order, Sample, Write
from cellctl_drivers.serial.conversation import Answers, sample_of
from cellctl_drivers.serial.profile import Profile
from cellctl_drivers.wire.orders import OrderError, RefusalError


def meaning(profile: Profile, signal: str, wire: Sequence[str]) -> Sample:
    """The sample that the answer in `wire` means; ValueError if it is no answer to the signal's question."""
    target = profile.targets[signal]
    if target.read is None:
        raise ValueError(f"{signal} is not read")
    answers = Answers(profile.line, target.reply.fullmatch, target.lines)
    for line in wire:
        try:
            found = answers.take(line)
        except RefusalError as refusal:
            return target.reading.bad(str(refusal), 0)
        if found:
            return sample_of(target, found[0], 0)
    raise ValueError(f"no line here is an answer to {target.read!r}")


def sending(profile: Profile, order: Order) -> list[str]:
    """The line that would be sent for `order`; ValueError if none would be."""
    try:
        if isinstance(order, Write):
            target = profile.targets[order.name]
            if target.write is None:
                raise ValueError(f"{order.name} cannot be written")
            return [target.write.fill({"value": target.reading.raw(order.value)})]
        return [profile.commands[order.name].text.fill({**order.arguments, "token": order.token})]
    except OrderError as error:
        raise ValueError(str(error)) from None
