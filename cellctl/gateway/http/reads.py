"""The routes that only look: the cell now, and what is on record."""

import time
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import StreamingResponse

from cellctl.gateway.http.answers import Cell, Device, Job, Recipe, Signal
from cellctl.gateway.http.desk import Desk, Problem
from cellctl.gateway.http.forms import History, JournalEntry, PartRecord, Parts, StoredSample

Name = Annotated[str, Path(max_length=200)]
Limit = Annotated[int, Query(ge=1, le=10_000)]

#: What a history is asked for if nothing is said.
HOUR_NS = 3_600_000_000_000


def routes(desk: Desk) -> APIRouter:
    """All of them, for one gateway."""
    router = APIRouter(prefix="/api/v1")
    _now(router, desk)
    _on_record(router, desk)
    return router


def _now(router: APIRouter, desk: Desk) -> None:
    @router.get("/cell")
    async def cell() -> Cell:
        """The cell: state, recipe, job, counts, why it waits, and what may be asked of it."""
        return Cell.of(desk.view)

    @router.get("/devices")
    async def devices() -> list[Device]:
        """All devices and their connections."""
        return desk.devices()

    @router.get("/devices/{device}")
    async def device(device: Name) -> Device:
        """One device."""
        found = {one.id: one for one in desk.devices()}
        return found[desk.known("device", device, list(found))]

    @router.get("/signals")
    async def signals() -> dict[str, Signal]:
        """The last sample of every signal."""
        return desk.signals()

    @router.get("/signals/{signal}")
    async def signal(signal: Name) -> Signal:
        """The last sample of one signal."""
        found = desk.signals()
        return found[desk.known("signal", signal, list(found))]

    @router.get("/jobs")
    async def jobs() -> list[Job]:
        """The open jobs in their order; the first is in work."""
        return [Job.model_validate(job) for job in desk.view["jobs"]]

    @router.get("/recipes")
    async def recipes() -> list[Recipe]:
        """The recipes that the cell knows."""
        return [Recipe.model_validate(recipe) for recipe in desk.view["recipes"]]

    @router.get("/stream", responses={200: {"content": {"text/event-stream": {}}}})
    async def stream(request: Request, signals: bool = True) -> StreamingResponse:
        """Server-sent events: a snapshot, then what changes. `signals=false` leaves the signals out."""
        if desk.stream.full:
            raise Problem(503, "Too many clients follow this cell already.")
        return StreamingResponse(
            desk.stream.follow(signals=signals),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )


def _on_record(router: APIRouter, desk: Desk) -> None:
    @router.get("/parts")
    def parts(limit: Limit = 100) -> Parts:
        """The parts in process, and those finished last with all that was recorded, newest first."""
        in_process = desk.link.view["parts"] if desk.link.view else []
        return Parts.model_validate({"in_process": in_process, "finished": desk.parts.latest(limit)})

    @router.get("/parts/{serial}")
    def part(serial: Name) -> PartRecord:
        """One part: its recipe, what was measured, what went wrong."""
        found = desk.parts.find(serial)
        if found is None:
            raise Problem(404, f"There is no part {serial!r}.")
        return PartRecord.model_validate(found)

    @router.get("/journal")
    def journal(kind: Annotated[str | None, Query(max_length=100)] = None, limit: Limit = 100) -> list[JournalEntry]:
        """The last entries of the journal, oldest first; only of `kind` if it is given."""
        entries = desk.records.latest(kind=kind, limit=limit)
        return [JournalEntry(sequence=e.sequence, time_ns=e.time_ns, kind=e.kind, data=dict(e.data)) for e in entries]

    @router.get("/history")
    def history(
        signal: Annotated[str, Query(max_length=200)],
        start_ns: Annotated[int | None, Query(ge=0, lt=2**63)] = None,
        end_ns: Annotated[int | None, Query(ge=0, lt=2**63)] = None,
        limit: Limit = 1_000,
    ) -> History:
        """The stored samples of a signal, oldest first; of the last hour if no time is given."""
        desk.known("signal", signal, list(desk.link.signals) if desk.view else [])
        end = time.time_ns() if end_ns is None else end_ns
        start = max(0, end - HOUR_NS) if start_ns is None else start_ns
        samples = desk.records.samples(signal, start, end, limit)
        stored = [StoredSample(time_ns=s.time_ns, value=s.value, quality=s.quality.name.lower()) for s in samples]
        return History(signal=signal, start_ns=start, end_ns=end, samples=stored)
