"""The routes that let things go wrong on purpose: only of a cell that runs on simulated devices.

The rule kept here: the gateway decides nothing, it passes on, through the door that a cell on trial has in its state
folder. Without that door there is nothing to be broken.
"""

from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import Field

from cellctl.faults import KINDS, Fault, FaultError, fault
from cellctl.faults.door import FAULTS_SOCKET, ask
from cellctl.gateway.http.answers import Answer
from cellctl.gateway.http.answers import Problem as ProblemForm
from cellctl.gateway.http.desk import Problem
from cellctl.gateway.http.forms import Ask, Text, Value
from cellctl.gateway.told import NOT_ON_TRIAL, sentence

_ERRORS = (403, 404, 409, 413, 415, 422)


class AskFault(Ask):
    """Let a fault happen. `for` is how long it lasts: "30 s", or seconds; without it until it is ended.

    Durations among the options are told in the same way.
    """

    kind: Text
    target: Annotated[str, Field(max_length=200)] = ""
    for_: Annotated[str | float | None, Field(alias="for")] = None
    options: Annotated[dict[str, Value], Field(max_length=10, default_factory=dict)]


class RunningFault(Answer):
    """A fault that has begun and not ended: durations in seconds, `text` in words."""

    number: int
    text: str
    kind: str
    target: str
    for_: Annotated[float | None, Field(alias="for")]
    options: dict[str, Value]


class OptionForm(Answer):
    """A further word of a fault: duration, share, number, rate, count, bytes, choice (one of `choices`) or value;
    `default` null: it must be given."""

    kind: str
    text: str
    default: Value | None
    choices: list[str]


class KindForm(Answer):
    """A kind of fault: of a link, a device or control; what it names; whether it lasts, or just happens."""

    of: str
    target: str
    text: str
    options: dict[str, OptionForm]
    lasts: bool


def routes(state: Path) -> APIRouter:
    """All of them, for the cell on one state folder."""
    router = APIRouter(prefix="/api/v1/faults", responses={status: {"model": ProblemForm} for status in _ERRORS})
    door = state / FAULTS_SOCKET

    @router.get("")
    async def running() -> list[RunningFault]:
        """The faults that have begun and not ended, oldest first. 409 if the cell is not on trial."""
        return [RunningFault.model_validate(one) for one in (await _asked(door, 409, do="faults"))["faults"]]

    @router.get("/kinds")
    async def kinds() -> dict[str, KindForm]:
        """All that can go wrong, and with what options."""
        return {name: KindForm.model_validate(kind, from_attributes=True) for name, kind in KINDS.items()}

    @router.post("", status_code=202)
    async def begin(wanted: AskFault) -> RunningFault:
        """Let a fault happen. 422 tells what does not fit; 409 if the cell is not on trial."""
        try:
            made = fault(wanted.kind, wanted.target, wanted.for_, **wanted.options)
        except FaultError as error:
            raise Problem(422, sentence(str(error))) from error
        number = (await _asked(door, 422, do="fault", fault=made.plain()))["number"]
        return RunningFault.model_validate(_told(int(number), made))

    @router.delete("", status_code=202)
    async def end_all() -> dict[str, str]:
        """End all faults."""
        await _asked(door, 409, do="mend", number=None)
        return {"text": "no fault is left"}

    @router.delete("/{number}", status_code=202)
    async def end(number: int) -> dict[str, str]:
        """End one fault. 404 if it is not running."""
        await _asked(door, 404, do="mend", number=number)
        return {"text": f"fault {number} has ended"}

    return router


def _told(number: int, made: Fault) -> dict[str, Any]:
    return {"number": number, "text": str(made), **made.plain()}


async def _asked(door: Path, status: int, **message: object) -> dict[str, Any]:
    """What the door answers; a Problem of `status` if it says no, of 409 if there is no door."""
    try:
        answer = await ask(door, **message)
    except OSError as error:
        raise Problem(409, NOT_ON_TRIAL) from error
    if not answer["ok"]:
        raise Problem(status, sentence(str(answer["error"])))
    return answer
