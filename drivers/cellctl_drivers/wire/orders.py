"""Answering orders: exactly once each, and never with more than is known.

The rule kept here: once something may have reached the device, a missing or contradicting answer is UNKNOWN.
"""

import asyncio
from collections.abc import Mapping
from typing import Protocol, assert_never

from cellctl.driver import Call, DriverError, Link, Order, Outcome, Value, Write


class Performer(Protocol):
    """What carries orders out: it returns what the device answered by name, or raises one of the errors below."""

    async def set(self, order: Write) -> Mapping[str, Value]:
        """Write a signal and read it back."""

    async def call(self, order: Call) -> Mapping[str, Value]:
        """Send a command."""


class OrderError(Exception):
    """The order was not confirmed: what became of it, why, in words for a person, and what was read, if anything."""

    def __init__(self, outcome: Outcome, reason: str, result: Mapping[str, Value] | None = None) -> None:
        super().__init__(reason)
        self.outcome = outcome
        self.result = result


class SilenceError(Exception):
    """A request got no answer, or one that does not belong to it; the connection can still be used."""


class RefusalError(Exception):
    """The device answered that it will not do what was asked; the text says why."""


class BusyError(RefusalError):
    """The device has not begun what was asked, and may be asked again."""


async def fulfil(link: Link, order: Order, performer: Performer) -> None:
    """Perform `order` and answer it; a lost connection (DriverError) goes on to the caller after the answer."""
    if link.now() >= order.deadline_ns:
        link.done(order, Outcome.NOT_SENT, reason="its time was over before it could be sent")
        return
    try:
        match order:
            case Write():
                result = await performer.set(order)
            case Call():
                result = await performer.call(order)
            case _:
                assert_never(order)
    except OrderError as problem:
        link.done(order, problem.outcome, problem.result, str(problem))
    except RefusalError as refusal:
        link.done(order, Outcome.REFUSED, reason=str(refusal))
    except SilenceError as silence:
        link.done(order, Outcome.UNKNOWN, reason=str(silence))
    except DriverError as loss:
        link.done(order, Outcome.UNKNOWN, reason=str(loss))
        raise
    except asyncio.CancelledError:
        link.done(order, Outcome.UNKNOWN, reason="the connection was closed before the answer came")
        raise
    else:
        link.done(order, Outcome.CONFIRMED, result)


def filled(value: Value, order: Call) -> Value:
    """`value`, or what the order brings for ``$name`` and ``$token``; OrderError (not sent) if it brings nothing."""
    if not isinstance(value, str) or not value.startswith("$"):
        return value
    name = value[1:]
    if name == "token":
        return order.token
    if name not in order.arguments:
        raise OrderError(Outcome.NOT_SENT, f"the argument {name!r} is missing")
    return order.arguments[name]
