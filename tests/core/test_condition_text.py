"""Conditions as text: what is read, and how a mistake is told."""

import pytest

from cellctl.core.condition import And, Compare, For, Not, Or, Ref, Truth
from cellctl.core.condition_text import DEPTH_MAX, LENGTH_MAX, ConditionError, parse
from cellctl.core.signal import Signal

SIGNALS = {
    signal.id: signal
    for signal in (
        Signal("plc.guard", "bool"),
        Signal("plc.air", "float", "bar"),
        Signal("plc.count", "int"),
        Signal("plc.code", "text"),
        Signal("oven.temp", "float", "degC"),
        Signal("oven.level", "float", "%"),
        Signal("oven.done", "int"),
    )
}
GUARD, AIR = Truth("plc.guard"), Compare("plc.air", ">", 5.2)


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("plc.guard", GUARD),
        ("not plc.guard", Not(GUARD)),
        ("not not plc.guard", Not(Not(GUARD))),
        ("plc.guard == false", Compare("plc.guard", "==", False)),
        ("plc.guard != true", Compare("plc.guard", "!=", True)),
        ("plc.air > 5.2 bar", AIR),
        ("plc.air>5.2bar", AIR),
        ("plc.air > 520 kPa", Compare("plc.air", ">", pytest.approx(5.2))),
        ("plc.count == 3", Compare("plc.count", "==", 3)),
        ("plc.count >= -3", Compare("plc.count", ">=", -3)),
        ("plc.count <= 1e3", Compare("plc.count", "<=", 1000.0)),
        ("plc.code == 'DONE'", Compare("plc.code", "==", "DONE")),
        ('plc.code != "it\'s"', Compare("plc.code", "!=", "it's")),
        ("plc.count == $token", Compare("plc.count", "==", Ref("token"))),
        ("oven.level < 92 %", Compare("oven.level", "<", 92)),
        ("oven.level < 92%", Compare("oven.level", "<", 92)),
        ("plc.air > 5.2 bar for 2 s", For(AIR, 2_000_000_000)),
        ("plc.count > 5 for 20ms", For(Compare("plc.count", ">", 5), 20_000_000)),
        ("not plc.guard for 2 s", For(Not(GUARD), 2_000_000_000)),
        ("(plc.guard and plc.air > 5.2 bar) for 1 min", For(And((GUARD, AIR)), 60_000_000_000)),
        ("plc.guard and plc.air > 5.2 bar or plc.guard", Or((And((GUARD, AIR)), GUARD))),
        ("plc.guard and (plc.air > 5.2 bar or plc.guard)", And((GUARD, Or((AIR, GUARD))))),
        ("plc.guard and plc.guard\n  and plc.guard", And((GUARD, GUARD, GUARD))),
        ("((plc.guard))", GUARD),
    ],
)
def test_a_condition_is_read(text, condition):
    assert parse(text, signals=SIGNALS) == condition


def test_a_bare_name_is_completed_with_the_device():
    assert parse("done == $token and plc.guard", signals=SIGNALS, device="oven") == And(
        (Compare("oven.done", "==", Ref("token")), GUARD)
    )


@pytest.mark.parametrize(
    ("text", "at", "message", "hint"),
    [
        ("", "", "empty", "plc.guard_closed"),
        ("   ", "", "empty", "name a signal"),
        ("plc.gard", "plc.gard", "no signal", "'plc.guard'"),
        ("guard", "guard", "no signal", "'plc.guard'"),
        ("nothing.like_it", "nothing", "no signal", "device.signal"),
        ("plc.Guard", "plc.Guard", "not the name", "lower case"),
        ("plc.air > 5.2", "5.2", "no unit", "'5.2 bar'"),
        ("plc.air > 5.2 s", "5.2", "time", "bar"),
        ("plc.air > 5.2 baar", "baar", "not known", "bar"),
        ("oven.temp > 80 °C", "°C", "not known", "degC"),
        ("plc.count > 5 bar", "5", "has no unit", "'5'"),
        ("plc.air", "plc.air", "a number in bar", "plc.air > 1 bar"),
        ("plc.count and plc.guard", "plc.count", "a number: compare", "plc.count > 1"),
        ("plc.code", "plc.code", "is text", "with quotes"),
        ("plc.guard == 1", "1", "true or false", "not plc.guard"),
        ("plc.guard > true", ">", "no order", "=="),
        ("plc.code < 'A'", "<", "no order", "=="),
        ("plc.count == true", "true", "a number", "plc.count > 1"),
        ("plc.air > 'much'", "'much'", "a number in bar", "1 bar"),
        ("plc.code == 5", "5", "is text", "quotes"),
        ("plc.code == DONE", "DONE", "only", "'DONE'"),
        ("plc.count == plc.air", "plc.air", "only", "quotes"),
        ("plc.count == nan", "nan", "not a number", "finite"),
        ("plc.count < INF", "INF", "not a number", "finite"),
        ("plc.count < 1e999", "1e999", "finite", "smaller"),
        ("plc.count ==", "", "a value is missing", "plc.count"),
        ("plc.count == and plc.guard", "and", "a value is missing", "plc.count"),
        ("plc.count == < 5", "< 5", "a value is missing", "plc.count"),
        ("plc.count = 5", "= 5", "single '='", "'=='"),
        ("plc.guard & plc.guard", "&", "'&'", "'and'"),
        ("plc.guard || plc.guard", "||", "'|'", "'or'"),
        ("!plc.guard", "!", "'!'", "'not'"),
        ("plc.code == 'DONE", "'DONE", "closing quote", "'"),
        ('plc.code == "DONE', '"DONE', "closing quote", '"'),
        ("plc.count == $", "$", "'$'", "$token"),
        ("plc.count + 1 > 5", "+ 1", "arithmetic", "one signal"),
        ("plc.guard; plc.guard", ";", "not part", "remove"),
        ("abs(plc.air) > 5 bar", "abs", "functions", "one signal"),
        ("1 < plc.count", "1 ", "a signal must stand", "begin"),
        ("1 < plc.count < 5", "1 ", "a signal must stand", "begin"),
        ("plc.count > 1 < 5", "< 5", "chained", "and"),
        ("plc.guard and", "", "too early", "signal"),
        ("plc.guard and or", "or", "a signal must stand", "name a signal"),
        ("plc.guard AND plc.guard", "AND", "not expected", "'and'"),
        ("plc.guard plc.guard", " plc.guard", "not expected", "'and' or 'or'"),
        ("(plc.guard", "(", "never closed", "')'"),
        ("(plc.guard plc.guard)", " plc.guard)", "not expected", "'and' or 'or'"),
        ("plc.guard)", ")", "closes nothing", "'('"),
        ("plc.guard for 2 s for 3 s", "for 3", "twice", "one length"),
        ("plc.guard for", "", "length of time", "for 2 s"),
        ("plc.guard for plc.guard", " plc.guard", "length of time", "for 2 s"),
        ("plc.guard for 2", "2", "unit", "for 2 s"),
        ("plc.guard for 2 and plc.guard", "2 and", "unit", "for 2 s"),
        ("plc.guard for 2 bar", "2 bar", "pressure", "for 2 s"),
        ("plc.guard for 1e308 h", "1e308", "too long", "for 2 s"),
        ("(" * (DEPTH_MAX + 2) + "plc.guard", "", "nested", "flatter"),
        ("not " * (DEPTH_MAX + 2) + "plc.guard", "", "nested", "flatter"),
        ("plc.guard or " * LENGTH_MAX + "plc.guard", "plc.guard or", "characters", "shorter"),
    ],
)
def test_a_mistake_is_told_with_its_place_and_a_hint(text, at, message, hint):
    with pytest.raises(ConditionError) as told:
        parse(text, signals=SIGNALS)
    error = told.value
    assert message in error.message
    assert hint in error.hint
    if "nested" not in message:
        place = text.index(at) if at else len(text)
        assert error.offset == place + len(at) - len(at.lstrip())
