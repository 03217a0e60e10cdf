"""The application: the routes, the page and its files, and the one form of every error."""

from pathlib import Path
from typing import Annotated

from fastapi import FastAPI, Header, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

import cellctl
from cellctl.gateway.http import alarms, faults, reads, requests
from cellctl.gateway.http.answers import problem_response
from cellctl.gateway.http.desk import Desk
from cellctl.gateway.http.guard import App, Guard
from cellctl.gateway.told import language_of
from cellctl.records import RecordsError

STATIC = Path(__file__).parent / "static"

_SENTENCES = {404: "There is no such address.", 405: "This address does not take that method."}


def application(desk: Desk) -> App:
    """Everything that is served, behind the guard."""
    app = FastAPI(
        title="cellctl",
        version=cellctl.__version__,
        summary="One robotic cell: look, operate, change over. Not a safety system.",
        docs_url=None,  # the bundled documentation pages load from a content network
        redoc_url=None,
    )
    app.include_router(reads.routes(desk))
    app.include_router(requests.routes(desk))
    app.include_router(alarms.routes(desk))
    app.include_router(faults.routes(desk.records.folder))
    app.mount("/static", StaticFiles(directory=STATIC))
    page = (STATIC / "index.html").read_text(encoding="utf-8")

    @app.get("/", include_in_schema=False)
    def overview(
        lang: Annotated[str | None, Query(max_length=10)] = None,
        accepted: Annotated[str, Header(alias="Accept-Language")] = "",
    ) -> HTMLResponse:
        language = language_of(lang or accepted)
        told = page.replace('<html lang="en">', f'<html lang="{language}">')
        return HTMLResponse(told, headers={"Cache-Control": "no-cache", "Vary": "Accept-Language"})

    app.add_exception_handler(HTTPException, _told)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(RecordsError, _unread)
    app.add_exception_handler(Exception, _broken)
    return Guard(app, page)


def _told(request: Request, error: Exception) -> Response:
    """A problem that a route raised, or one of the framework's own."""
    assert isinstance(error, HTTPException)
    possible = getattr(error, "possible", None)
    reason = str(error.detail) if possible is not None else _SENTENCES.get(error.status_code, f"{error.detail}.")
    return problem_response(error.status_code, reason, possible or ())


def _invalid(request: Request, error: Exception) -> Response:
    """A body or parameter that is not as the API says."""
    assert isinstance(error, RequestValidationError)
    found = [{"field": _field(one["loc"]), "reason": str(one["msg"])} for one in error.errors()[:20]]
    reason = "; ".join(f"{one['field']}: {one['reason']}" if one["field"] else one["reason"] for one in found)
    return problem_response(422, f"The request is not understood: {reason}.", fields=found)


def _unread(request: Request, error: Exception) -> Response:
    """Records that cannot be read."""
    return problem_response(503, str(error))


def _broken(request: Request, error: Exception) -> Response:
    """A fault of the gateway itself."""
    return problem_response(500, f"The gateway made a mistake ({type(error).__name__}). The cell is not affected.")


def _field(place: tuple[int | str, ...]) -> str:
    """Where in the request, without the framework's word for its kind; an offset in the text is no field."""
    return ".".join(str(part) for part in place[1:] if not isinstance(part, int) or len(place) > 2)
