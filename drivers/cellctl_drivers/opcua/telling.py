"""What an OPC UA server would be told, as text: node, type and value.

The rule kept here: it is said without a server. What the server makes of it in bytes depends on the session.
"""

from cellctl.driver import Order, Value, Write
from cellctl_drivers.opcua.profile import Profile
from cellctl_drivers.opcua.steps import Invoke, Put, Sink, exact, typed
from cellctl_drivers.wire.epoch import Epoch
from cellctl_drivers.wire.orders import OrderError


def sending(profile: Profile, order: Order) -> list[str]:
    """What would be written and called for `order`, step by step; ValueError if nothing would be."""
    try:
        if isinstance(order, Write):
            target = profile.targets[order.name]
            if target.write is None:
                raise ValueError(f"{order.name} cannot be written")
            return [_written(target.write, target.reading.raw(order.value))]
        steps, epoch = profile.commands[order.name], Epoch(1)  # nobody is connected
        return [
            _written(step.sink, value)
            if isinstance(step, Put)
            else _called(step, [(kind, epoch.filled(given, order)) for kind, given in step.inputs])
            for step, value in zip(steps, exact(steps, epoch, order), strict=True)
        ]
    except OrderError as error:
        raise ValueError(str(error)) from None


def _written(sink: Sink, value: Value) -> str:
    return f"write {sink.node} {sink.type}: {_shown(sink.type, value)}"


def _called(step: Invoke, inputs: list[tuple[str, Value]]) -> str:
    given = ", ".join(f"{kind} {_shown(kind, value)}" for kind, value in inputs)
    return f"call {step.method} on {step.on}: {given or 'nothing'}"


def _shown(kind: str, value: Value) -> str:
    exact = typed(kind, value)
    return str(exact).lower() if isinstance(exact, bool) else str(exact)
