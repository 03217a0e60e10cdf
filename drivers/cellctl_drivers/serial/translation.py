"""What a line device says and is told, as text: the lines of its golden vectors.

The rule kept here: a line stands there without its end, and no line is silence.
"""

from collections.abc import Sequence

from cellctl.driver import Order, Sample, Write
from cellctl_drivers.serial.conversation import Answers, sample_of, silent
from cellctl_drivers.serial.hearing import heard
from cellctl_drivers.serial.profile import Profile
from cellctl_drivers.wire.orders import OrderError, RefusalError


def meaning(profile: Profile, signal: str, wire: Sequence[str]) -> Sample:
    """The sample that the answer in `wire`, or what is told there unasked, means for a signal; ValueError if neither
    has to do with it."""
    target = profile.targets[signal]
    if target.read is None and target.hear is None:
        raise ValueError(f"{signal} is neither read nor heard")
    if target.hear is not None and (lines := [line for line in wire if target.hear.fullmatch(line)]):
        return next(sample for sample in heard(profile, lines[0], 0) if sample.signal == target.reading.signal.id)
    if target.read is None:
        raise ValueError(f"no line here is one that {signal} hears")
    if not wire and (told := silent(profile, [target], 0, "no answer")):
        return told[0]
    answers = Answers(profile, target.reply.fullmatch, target.lines)
    for line in wire:
        try:
            found = answers.take(line)
        except RefusalError as refusal:
            return target.reading.bad(str(refusal), 0)
        if found:
            return sample_of(target, found[0], 0)
    raise ValueError(f"no line here is an answer to {target.read!r}")


def sending(profile: Profile, order: Order) -> list[str]:
    """The lines that would be sent for `order`; ValueError if none would be."""
    try:
        if isinstance(order, Write):
            target = profile.targets[order.name]
            if target.write is None:
                raise ValueError(f"{order.name} cannot be written")
            return [target.write.fill({"value": target.reading.raw(order.value)})]
        values = {**order.arguments, "token": order.token}
        return [text.fill(values) for text in profile.commands[order.name].texts]
    except OrderError as error:
        raise ValueError(str(error)) from None
