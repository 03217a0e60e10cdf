"""The routes of alarms: those of now, what became of them, and what a person may do about them.

The rule kept here: texts come in the language that is asked for, by ``lang`` or else by ``Accept-Language``; where the
cell's files do not have it, as they are.
"""

import time
from typing import Annotated

from fastapi import APIRouter, Header, Path, Query

from cellctl.core.messages import Acknowledge, Shelve, Unshelve
from cellctl.core.units import UnitError, duration_ns
from cellctl.gateway.http.answers import Alarm, Receipt
from cellctl.gateway.http.answers import Problem as ProblemForm
from cellctl.gateway.http.desk import Desk, Problem
from cellctl.gateway.http.forms import AlarmEvent, AlarmLoad, AskAcknowledge, AskShelve
from cellctl.gateway.told import in_language, language_of

Name = Annotated[str, Path(max_length=200)]
Lang = Annotated[str | None, Query(pattern="^[a-z]{2}$")]
Accepted = Annotated[str, Header(alias="Accept-Language")]
Since = Annotated[int | None, Query(ge=0, lt=2**63)]
Limit = Annotated[int, Query(ge=1, le=10_000)]
RequestId = Annotated[str | None, Query(min_length=1, max_length=200)]

DAY_NS = 86_400_000_000_000

_ERRORS = (400, 403, 404, 409, 413, 415, 422, 503)


def routes(desk: Desk) -> APIRouter:
    """All of them, for one gateway."""
    router = APIRouter(prefix="/api/v1/alarms")
    asking = APIRouter(prefix="/api/v1/alarms", responses={status: {"model": ProblemForm} for status in _ERRORS})
    _now(router, desk)
    _past(router, desk)
    _ask(asking, desk)
    router.routes.extend(asking.routes)
    return router


def _now(router: APIRouter, desk: Desk) -> None:
    @router.get("")
    async def alarms(lang: Lang = None, accepted: Accepted = "") -> list[Alarm]:
        """The alarms that want to be seen: not acknowledged first, then most urgent, then oldest."""
        return _in(desk.view["alarms"], lang or language_of(accepted))

    @router.get("/shelved")
    async def shelved(lang: Lang = None, accepted: Accepted = "") -> list[Alarm]:
        """The alarms that are hidden: shelved by a person, or suppressed by the cell's files."""
        return _in(desk.view["hidden_alarms"], lang or language_of(accepted))


def _in(told: list[dict[str, object]], language: str) -> list[Alarm]:
    return [Alarm.model_validate(in_language(alarm, language)) for alarm in told]


def _past(router: APIRouter, desk: Desk) -> None:
    @router.get("/history")
    def history(
        since_ns: Since = None, alarm: Annotated[str | None, Query(max_length=200)] = None, limit: Limit = 100
    ) -> list[AlarmEvent]:
        """What became of alarms last, oldest first; only since a time, or of one alarm, if that is given."""
        return [AlarmEvent.model_validate(one) for one in desk.alarms.history(since_ns or 0, limit, alarm)]

    @router.get("/frequent")
    def frequent(since_ns: Since = None, until_ns: Since = None) -> AlarmLoad:
        """How many alarms came between two times (of the last day if nothing is said), the most frequent first."""
        until = time.time_ns() if until_ns is None else until_ns
        since = max(0, until - DAY_NS) if since_ns is None else since_ns
        return AlarmLoad.model_validate(desk.alarms.load(since, until))


def _ask(router: APIRouter, desk: Desk) -> None:
    @router.post("/acknowledge", status_code=202)
    async def acknowledge(ask: AskAcknowledge) -> Receipt:
        """Tell that these alarms were seen."""
        return await desk.submit(Acknowledge(tuple(ask.alarms)), ask.id)

    @router.post("/shelved", status_code=202)
    async def shelve(ask: AskShelve) -> Receipt:
        """Hide an alarm for some time; it comes back by itself."""
        try:
            for_ns = duration_ns(ask.for_)
        except UnitError as error:
            raise Problem(422, f"The field 'for' is not a length of time: {error}.") from error
        return await desk.submit(Shelve(ask.alarm, for_ns, ask.reason), ask.id)

    @router.delete("/shelved/{alarm}", status_code=202)
    async def unshelve(alarm: Name, id: RequestId = None) -> Receipt:
        """Show a shelved alarm again."""
        return await desk.submit(Unshelve(alarm), id)
