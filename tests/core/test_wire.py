"""The words of the link: what goes in comes out, and what is wrong is refused with what was meant."""

from dataclasses import replace
from typing import Any

import pytest

from cellctl.core.messages import (
    Acknowledge,
    Action,
    AddJob,
    CancelChangeover,
    CancelJob,
    ConfirmStep,
    Operate,
    Receipt,
    Recover,
    Refused,
    Request,
    SetMode,
    Shelve,
    StartChangeover,
    Unshelve,
)
from cellctl.core.packml import Command, Mode
from cellctl.core.signal import Quality, Sample
from cellctl.core.wire import (
    ACTIONS,
    LINE_BYTES_MAX,
    WireError,
    decode_answer,
    decode_line,
    decode_request,
    decode_sample,
    encode_answer,
    encode_line,
    encode_request,
    encode_sample,
)

EVERY_ACTION: list[Action] = [
    *(Operate(command) for command in Command),
    *(SetMode(mode) for mode in Mode),
    AddJob("j1", "module-12s", 20),
    AddJob("j2", "module-8s", 2, ({"engraving": "A1", "depth": 0.5}, {"engraving": "Â2", "rework": True})),
    CancelJob("j1"),
    StartChangeover("module-8s"),
    ConfirmStep(3, "F-12S"),
    CancelChangeover(),
    Recover("q7", "retry"),
    Acknowledge(("hot", "link.laser")),
    Shelve("hot", 60_000_000_000, "the part is ordered"),
    Unshelve("hot"),
]


def test_every_action_is_listed() -> None:
    assert {type(action) for action in EVERY_ACTION} == set(ACTIONS.values()) == set(Action.__args__)


def test_what_has_a_default_may_be_left_out() -> None:
    data = {"id": "r1", "action": {"add_job": {"job": "j1", "recipe": "module-12s", "quantity": 20}}}
    assert decode_request(data) == Request("r1", AddJob("j1", "module-12s", 20))


@pytest.mark.parametrize("action", EVERY_ACTION, ids=repr)
def test_a_request_comes_back_as_it_was(action: Action) -> None:
    request = Request("r1", action, "ann", "http")
    assert decode_request(decode_line(encode_line(encode_request(request)))) == request


@pytest.mark.parametrize("answer", [Receipt("r1", "Holding"), Refused("r1", "no", ("Start", "Stop")), Refused("", "x")])
def test_an_answer_comes_back_as_it_was(answer: Receipt | Refused) -> None:
    assert decode_answer(decode_line(encode_line(encode_answer(answer)))) == answer


@pytest.mark.parametrize("value", [None, True, 7, -0.5, "text"])
def test_a_sample_comes_back_as_it_was(value: Any) -> None:
    good = Sample("a.x", value, Quality.GOOD, 12, 13)
    for sample in (good, replace(good, quality=Quality.BAD, reason="stale")):
        assert decode_sample("a.x", encode_sample(sample)) == sample


def test_a_number_that_json_cannot_say_is_told_as_text() -> None:
    assert encode_sample(Sample("a.x", float("nan"), Quality.BAD)) == ["nan", 2, 0, 0]
    assert encode_sample(Sample("a.x", float("inf"), Quality.BAD))[0] == "inf"


def request(**changes: Any) -> dict[str, Any]:
    return {"id": "r1", "action": {"operate": {"command": "hold"}}} | changes


def job(**changes: Any) -> dict[str, Any]:
    return request(action={"add_job": {"job": "j", "recipe": "m", "quantity": 1} | changes})


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ([], "must be an object"),
        ({}, "needs an id"),
        (request(id=7), "'id' must be text"),
        (request(id="x" * 201), "longer than 200"),
        (request(by=None), "'by' must be text"),
        (request(actoin={}), "no 'actoin'; did you mean 'action'?"),
        (request(action=None), "an action must be an object"),
        (request(action={}), "exactly one key"),
        (request(action={"operate": {}, "set_mode": {}}), "exactly one key"),
        (request(action={"operat": {}}), "did you mean 'operate'?"),
        (request(action={"operate": {}}), "needs 'command'"),
        (request(action={"operate": {"command": "holt"}}), "there is no command 'holt'; did you mean 'hold'?"),
        (request(action={"operate": {"command": 4}}), "must be text"),
        (request(action={"operate": {"command": "hold", "x": 1}}), "no 'x'"),
        (request(action={"set_mode": {"mode": "productoin"}}), "did you mean 'production'?"),
        (job(quantity="1"), "'quantity' must be a whole number"),
        (job(quantity=True), "'quantity' must be a whole number"),
        (job(quantity=-1), "not negative"),
        (job(parts={}), "must be a list"),
        (request(action={"acknowledge": {"alarms": "hot"}}), "'alarms' must be a list of texts"),
        (request(action={"acknowledge": {"alarms": [7]}}), "'alarms' must be text"),
        (request(action={"shelve": {"alarm": "hot", "for_ns": -1, "reason": "x"}}), "not negative"),
        (job(parts=[1]), "a part must be an object"),
        (job(parts=[{"a": []}]), "the part's value 'a'"),
    ],
)
def test_a_wrong_request_is_refused_with_the_reason(data: Any, reason: str) -> None:
    with pytest.raises(WireError) as refused:
        decode_request(data)
    assert reason in refused.value.reason


def test_a_refusal_names_the_request_and_what_was_possible() -> None:
    with pytest.raises(WireError) as refused:
        decode_request(request(action={"operate": {"command": "halt"}}))
    answer = refused.value.refused()
    assert answer.id == "r1"
    assert answer.possible == tuple(command.name.lower() for command in Command)


def test_names_may_be_written_as_people_read_them() -> None:
    assert decode_request(request(action={"set_mode": {"mode": "Set up"}})).action == SetMode(Mode.SET_UP)
    assert decode_request(request(action={"operate": {"command": " HOLD"}})).action == Operate(Command.HOLD)


@pytest.mark.parametrize(
    "line",
    [b"", b"{", b"1", b'{"a": NaN}', b'{"a": 1e999}', b'{"a": 1, "a": 2}', b"\xff", b"[" * 50_000, b'{"a": -Infinity}'],
)
def test_a_line_that_is_no_message_is_refused(line: bytes) -> None:
    with pytest.raises(WireError):
        decode_line(line)


def test_a_line_has_a_longest_length() -> None:
    line = encode_line({"a": "x" * LINE_BYTES_MAX})
    with pytest.raises(WireError, match="longer"):
        decode_line(line)
    assert decode_line(line, longest=2 * LINE_BYTES_MAX)


@pytest.mark.parametrize(
    "data", [{}, {"receipt": 1}, {"receipt": {"text": "x"}}, {"refused": {"id": "", "reason": "", "possible": "x"}}]
)
def test_a_wrong_answer_is_refused(data: Any) -> None:
    with pytest.raises(WireError):
        decode_answer(data)


@pytest.mark.parametrize(
    "data", [None, [], [1, 0, 0], [1, 9, 0, 0], [1, 0, 0, 0, 5], [[], 0, 0, 0], [1, 0, 0, 0, "a", "b"]]
)
def test_a_wrong_sample_is_refused(data: Any) -> None:
    with pytest.raises(WireError):
        decode_sample("a.x", data)
