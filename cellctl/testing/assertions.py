"""What a test may claim of a cell. Every claim that is not true is an AssertionError that says what is true instead.

All look back over the whole test unless they are given `since` (seconds of the test, as `clock.now` tells them).
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from cellctl.core.messages import CommandClass, Order, Write
from cellctl.core.signal import Value
from cellctl.core.trouble import is_trouble
from cellctl.gateway.parts import Parts
from cellctl.testing.bench import Bench
from cellctl.testing.clock import Duration, seconds
from cellctl.testing.names import known, state_of

#: A test that fails shows its own line, not those in here.
__tracebackhide__ = True

#: How often (virtual seconds) a signal is looked at that shall settle.
_LOOK_S = 0.1


class Assertions:
    """The `assert_...` of the fixture `cell`."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench

    def assert_states(self, *names: str, since: float = 0.0) -> None:
        """The cell entered these states, one directly after the other."""
        wanted = [state_of(name).title for name in names]
        entered = [str(entry.data["state"]) for entry in self._since("state", since)]
        assert _runs_through(wanted, entered), f"not {' > '.join(wanted)}: {' > '.join(entered) or 'no state'}"

    def assert_order(self, *names: str, since: float = 0.0) -> None:
        """These orders left in this order, others between them or not: ``laser.on``, ``plc.*``."""
        sent = [_name(order) for at_s, order in self._bench.seen.orders if at_s >= since]
        left = list(names)
        for each in sent:
            if left and fnmatchcase(each, left[0]):
                left.pop(0)
        assert not left, (
            f"{left[0]} was not sent{' after ' + names[-len(left) - 1] if len(left) < len(names) else ''}: {sent[-30:]}"
        )

    def assert_no_writes(self, pattern: str = "*", since: float = 0.0) -> None:
        """No order left whose name matches, such as ``robot.*``."""
        sent = [
            f"{_name(order)} at {at_s:.3f} s"
            for at_s, order in self._bench.seen.orders
            if at_s >= since and fnmatchcase(_name(order), pattern)
        ]
        assert not sent, f"sent nevertheless: {', '.join(sent[:10])}"

    def assert_alarm(self, alarm: str, *, state: str | None = None) -> None:
        """The alarm is active; or it stands as `state` says: unacknowledged, acknowledged, returned, shelved, ..."""
        alarms = self._bench.control.cell.alarms
        if not is_trouble(alarm):
            known("alarm", alarm, [spec.id for spec in self._bench.setup.model.equipment.alarms])
        if state is None:
            active = alarms.active
            assert alarm in active, f"the alarm {alarm} is not active; active are: {', '.join(active) or 'none'}"
        else:
            states = {one.id: one.state for one in (*alarms.shown, *alarms.hidden)}
            found = states.get(alarm, "normal")
            assert found == state, f"the alarm {alarm} is {found}, not {state}"

    def assert_no_alarm(self) -> None:
        """No alarm is active."""
        active = self._bench.control.cell.alarms.active
        assert not active, f"active alarms: {', '.join(active)}"

    def assert_safe(self) -> None:
        """Every safe output has its safe value, as its device tells it; safe commands came last."""
        cell, equipment = self._bench.control.cell, self._bench.setup.model.equipment
        wrong = [
            f"{name} is {sample.value} ({sample.quality.name.lower()}), not {signal.safe}"
            for name, signal in equipment.signals.items()
            if signal.safe is not None and not ((sample := cell.image.read(name)).good and sample.value == signal.safe)
        ]
        wrong += [f"{what} is not confirmed" for what in cell.safe_side.owed]
        if cell.outbox.stops:
            wrong.append(f"{len(cell.outbox.stops)} safe orders are not answered yet")
        stopped = {order.device for _, order in self._bench.seen.orders if order.command_class is CommandClass.STOP}
        for spec in equipment.commands.values():
            device = spec.id.partition(".")[0]
            if spec.safe and device not in stopped:
                wrong.append(f"{spec.id} was never sent")
            elif spec.safe and (later := _after_stop(device, self._bench.seen.orders)):
                wrong.append(f"{later} was sent after {spec.id}")
        assert not wrong, "not safe: " + "; ".join(wrong)

    def assert_part(self, serial: str, *, result: str | None = None, values: Mapping[str, Any] = {}) -> None:
        """There is such a part, it ended so, and what was recorded of it last is this (numbers: to a millionth)."""
        self._bench.flush()
        part = Parts(self._bench.setup.folder).find(serial)
        begun = [str(entry.data["part"]) for entry in self._bench.entries("part")]
        assert part is not None, f"there is no part {serial!r}; there are: {', '.join(begun[-20:]) or 'none'}"
        assert result is None or part["result"] == result, (
            f"{serial} is {part['result'] or 'not finished'}, not {result}"
        )
        found = {record["name"]: record["value"] for record in part["records"]}
        for name, value in values.items():
            assert name in found, f"no {name!r} was recorded of {serial}; recorded were: {', '.join(found) or 'none'}"
            assert _equal(found[name], value), f"{name} of {serial} is {found[name]!r}, not {value!r}"

    async def assert_settles(self, signal: str, target: float, *, band: float, within: Duration) -> float:
        """The signal comes within `band` of `target` and stays until `within` is over; the seconds that it took."""
        known("signal", signal, self._bench.setup.model.equipment.signals)
        start_s, limit_s = self._bench.time_s(), seconds(within)
        inside_s: float | None = None
        seen: list[Any] = []
        while self._bench.time_s() - start_s < limit_s:
            sample = self._bench.signal(signal)
            seen.append(sample.value)
            inside = sample.good and isinstance(sample.value, int | float) and abs(sample.value - target) <= band
            inside_s = (self._bench.time_s() if inside_s is None else inside_s) if inside else None
            await asyncio.sleep(_LOOK_S)
        lowest, highest = min(filter(_is_number, seen), default=None), max(filter(_is_number, seen), default=None)
        assert inside_s is not None, (
            f"{signal} does not settle at {target} +- {band}: it was {lowest}..{highest}, and is {seen[-1]}"
        )
        return inside_s - start_s

    def _since(self, kind: str, since: float) -> Iterable[Any]:
        begin_ns = self._bench.loop.utc_ns() - round(self._bench.time_s() * 1e9)
        return (entry for entry in self._bench.entries(kind) if entry.time_ns - begin_ns >= since * 1e9)


def _name(order: Order) -> str:
    return order.signal if isinstance(order, Write) else f"{order.device}.{order.name}"


def _after_stop(device: str, orders: Iterable[tuple[float, Order]]) -> str:
    """The last order to the device, if it came after the last stop."""
    own = [order for _, order in orders if order.device == device]
    return "" if not own or own[-1].command_class is CommandClass.STOP else _name(own[-1])


def _runs_through(wanted: Sequence[str], entered: Sequence[str]) -> bool:
    return any(list(entered[at : at + len(wanted)]) == list(wanted) for at in range(len(entered) - len(wanted) + 1))


def _equal(found: Value, wanted: Value) -> bool:
    if isinstance(found, bool | str) or isinstance(wanted, bool | str):
        return found == wanted
    return abs(found - wanted) <= 1e-6 * max(1.0, abs(wanted))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
