"""The outbox: effects in the order of the decisions, numbers, deadlines, tokens, the stop lane."""

from cellctl.core.equipment import CommandSpec
from cellctl.core.messages import Call, CommandClass, Entry, Receipt, Reply, Write
from cellctl.core.outbox import TOKENS, TOKENS_RESERVED
from cellctl.core.parameter import Parameter

from .bench import site_of

GOTO = CommandSpec(
    "robot.goto", CommandClass.PULSE, 50, {"point": Parameter("point", "int", choices={"home": 1, "weld": 2})}
)


def test_effects_come_in_the_order_of_the_decisions_and_once() -> None:
    outbox = site_of().outbox
    outbox.now = 1000
    outbox.note("state", state="Idle")
    assert outbox.write("plc.clamp", True, 20) == 1
    outbox.reply(Receipt("r1"))
    assert outbox.call(GOTO, {"point": "weld"}, 30, token=7) == 2
    assert outbox.take() == [
        Entry("state", {"state": "Idle"}),
        Write(1, "plc.clamp", True, 1020),
        Reply(Receipt("r1")),
        Call(2, "robot", "goto", 1030, {"point": 2}, 7, CommandClass.PULSE),
    ]
    assert outbox.take() == []
    assert outbox.orders == 2


def test_what_leads_to_the_safe_side_goes_in_the_stop_lane_whatever_its_class() -> None:
    outbox = site_of().outbox
    outbox.stop(GOTO, {"point": "home"})
    outbox.write("plc.horn", False, 20, CommandClass.STOP)
    outbox.write("plc.clamp", False, 20)
    assert [order.command_class for order in outbox.take() if isinstance(order, Write | Call)] == [
        CommandClass.STOP,
        CommandClass.STOP,
        CommandClass.LEVEL,
    ]
    assert list(outbox.stops) == [1, 2]
    assert outbox.ordered == {"plc": 3}


def test_after_the_last_token_comes_the_first() -> None:
    outbox = site_of(token=TOKENS - 2).outbox
    assert [outbox.token() for _ in range(4)] == [65_534, 65_535, 1, 2]
    assert site_of(token=TOKENS).outbox.token() == 1
    assert site_of().outbox.token() == 1


def test_tokens_are_reserved_before_they_are_used() -> None:
    outbox, reserved = site_of(token=TOKENS - 300).outbox, 0
    for used in range(1, 1000):
        token = outbox.token()
        for entry in outbox.take():
            assert isinstance(entry, Entry)
            reserved = used + TOKENS_RESERVED
            assert entry.data == {"reserved": (token + TOKENS_RESERVED) % TOKENS}
        assert used + TOKENS_RESERVED // 2 <= reserved + 1
