"""What all routes share: the copy of the cell, the way for requests, what is on record, and the live stream."""

import secrets
from collections.abc import Mapping
from typing import Any

from fastapi import HTTPException

from cellctl.core.messages import Action, Refused, Request
from cellctl.gateway.alarms import AlarmRecords
from cellctl.gateway.http.answers import Cell, Device, Receipt, Signal
from cellctl.gateway.http.stream import Stream
from cellctl.gateway.link import CellLink, ControlGone
from cellctl.gateway.parts import Parts
from cellctl.gateway.told import unknown
from cellctl.records import Records


class Problem(HTTPException):
    """Raised by a route: becomes the one form of an error."""

    def __init__(self, status: int, reason: str, possible: tuple[str, ...] = ()) -> None:
        super().__init__(status, reason)
        self.possible = possible


class Desk:
    """One gateway. `tell` brings the stream up to date with the link."""

    def __init__(self, link: CellLink, records: Records, parts: Parts) -> None:
        self.link = link
        self.records = records
        self.parts = parts
        self.alarms = AlarmRecords(records.folder)
        self.stream = Stream()

    def tell(self) -> None:
        """Publish what the link has heard."""
        if self.link.view is None:
            self.stream.lose(self.link.reason)
            return
        told = {
            "cell": Cell.of(self.link.view).model_dump(mode="json"),
            "devices": [device.model_dump(mode="json") for device in self.devices()],
        }
        self.stream.publish(told, self.link.signals)

    @property
    def view(self) -> Mapping[str, Any]:
        """The cell as it is now; 503 if it cannot be seen."""
        if self.link.view is None:
            raise Problem(503, self.link.reason)
        return self.link.view

    def devices(self) -> list[Device]:
        """All devices and their connections."""
        return [Device.model_validate(device) for device in self.view["devices"]]

    def signals(self) -> dict[str, Signal]:
        """All signals with their last samples; 503 if the cell cannot be seen."""
        return {name: Signal.of(sample) for name, sample in self.link.signals.items()} if self.view else {}

    def known(self, what: str, name: str, names: list[str]) -> str:
        """`name`, if it is one of `names`; else 404 with the nearest."""
        if name not in names:
            raise Problem(404, unknown(what, name, names))
        return name

    async def submit(self, action: Action, request: str | None) -> Receipt:
        """Pass a request on: its receipt, or 409 with the reason, or 503 if the cell cannot be reached."""
        try:
            answer = await self.link.submit(Request(request or secrets.token_hex(8), action, via="http"))
        except ControlGone as gone:
            raise Problem(503, str(gone)) from gone
        if isinstance(answer, Refused):
            raise Problem(409, answer.reason, answer.possible)
        return Receipt(id=answer.id, text=answer.text)
