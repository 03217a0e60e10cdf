"""The routes that ask something of the cell. The rule kept here: the gateway decides nothing, it passes on."""

import secrets
from typing import Annotated

from fastapi import APIRouter, Path, Query

from cellctl.core.messages import (
    AddJob,
    CancelChangeover,
    CancelJob,
    ConfirmStep,
    Operate,
    Recover,
    SetMode,
    StartChangeover,
)
from cellctl.core.packml import Command, Mode
from cellctl.gateway.http.answers import Problem as ProblemForm
from cellctl.gateway.http.answers import Receipt
from cellctl.gateway.http.desk import Desk, Problem
from cellctl.gateway.http.forms import AskChangeover, AskCommand, AskConfirm, AskJob, AskMode, AskRecovery
from cellctl.gateway.told import unknown

RequestId = Annotated[str | None, Query(min_length=1, max_length=200)]

_ERRORS = (400, 403, 404, 409, 413, 415, 422, 503)


def routes(desk: Desk) -> APIRouter:
    """All of them, for one gateway."""
    router = APIRouter(prefix="/api/v1", responses={status: {"model": ProblemForm} for status in _ERRORS})
    _operate(router, desk)
    _jobs(router, desk)
    _changeover(router, desk)
    return router


def _operate(router: APIRouter, desk: Desk) -> None:
    @router.post("/commands", status_code=202)
    async def command(ask: AskCommand) -> Receipt:
        """Fire a PackML command. 409 tells why not, and which commands are possible."""
        named = _member(Command, "command", ask.command)
        return await desk.submit(Operate(Command[named]), ask.id)

    @router.post("/mode", status_code=202)
    async def mode(ask: AskMode) -> Receipt:
        """Change the unit mode."""
        named = _member(Mode, "mode", ask.mode)
        return await desk.submit(SetMode(Mode[named]), ask.id)

    @router.post("/recover", status_code=202)
    async def recover(ask: AskRecovery) -> Receipt:
        """Answer an open question of the cell."""
        desk.known("open question", ask.question, [question["id"] for question in desk.view["questions"]])
        return await desk.submit(Recover(ask.question, ask.choice), ask.id)


def _jobs(router: APIRouter, desk: Desk) -> None:
    @router.post("/jobs", status_code=202)
    async def add_job(ask: AskJob) -> Receipt:
        """Put an order at the end of the queue."""
        desk.known("recipe", ask.recipe, [recipe["id"] for recipe in desk.view["recipes"]])
        job = ask.job or ask.id or f"job-{secrets.token_hex(4)}"
        return await desk.submit(AddJob(job, ask.recipe, ask.quantity, tuple(ask.parts)), ask.id)

    @router.delete("/jobs/{job}", status_code=202)
    async def cancel_job(job: Annotated[str, Path(max_length=200)], id: RequestId = None) -> Receipt:
        """Take an order out of the queue; parts already in process are finished."""
        desk.known("open job", job, [one["id"] for one in desk.view["jobs"]])
        return await desk.submit(CancelJob(job), id)


def _changeover(router: APIRouter, desk: Desk) -> None:
    @router.post("/changeover", status_code=202)
    async def start(ask: AskChangeover) -> Receipt:
        """Begin the change to another recipe."""
        desk.known("recipe", ask.recipe, [recipe["id"] for recipe in desk.view["recipes"]])
        return await desk.submit(StartChangeover(ask.recipe), ask.id)

    @router.post("/changeover/confirm", status_code=202)
    async def confirm(ask: AskConfirm) -> Receipt:
        """Tell that a step was done by a person, or that a failed one is to be tried again."""
        return await desk.submit(ConfirmStep(ask.index, ask.evidence), ask.id)

    @router.delete("/changeover", status_code=202)
    async def cancel(id: RequestId = None) -> Receipt:
        """Give the changeover up; no recipe is loaded afterwards."""
        return await desk.submit(CancelChangeover(), id)


def _member(members: type[Command] | type[Mode], what: str, name: str) -> str:
    wanted = name.strip().upper().replace(" ", "_").replace("-", "_")
    names = [member.name for member in members]
    if wanted not in names:
        told = [one.lower() for one in names]
        raise Problem(422, unknown(what, name, told), tuple(told))
    return wanted
