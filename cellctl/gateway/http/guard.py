"""What every request must pass before a route sees it, and the headers that every answer carries.

The rule kept here: a page of another origin can neither read nor press anything, although there is no sign-in yet.
Host names that are not this computer are refused (DNS rebinding), foreign origins are refused, a body must be JSON
and small.
"""

import base64
import hashlib
import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from cellctl.core.wire import LINE_BYTES_MAX
from cellctl.gateway.http.answers import problem_response

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

LOCAL_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})

#: Control takes no longer request.
BODY_BYTES_MAX = LINE_BYTES_MAX

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class Guard:
    """ASGI middleware around the whole application. `page` is the HTML whose inline import map the CSP allows."""

    def __init__(self, app: App, page: str) -> None:
        self._app = app
        self._headers = [(name.encode(), text.encode()) for name, text in _headers(page).items()]

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Refuse, or pass on with a bounded body."""
        if scope["type"] != "http":
            return
        marked = self._marked(send)
        headers = Headers(scope=scope)
        if refused := _refusal(scope["method"], headers):
            await problem_response(*refused)(scope, receive, marked)
            return
        body = await _body(receive) if scope["method"] not in SAFE_METHODS else None
        if body is not None and len(body) > BODY_BYTES_MAX:
            await problem_response(413, f"The request is larger than {BODY_BYTES_MAX} bytes.")(scope, receive, marked)
            return
        await self._app(scope, receive if body is None else _replayed(body, receive), marked)

    def _marked(self, send: Send) -> Send:
        async def send_marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *self._headers]
            await send(message)

        return send_marked


def _refusal(method: str, headers: Headers) -> tuple[int, str] | None:
    host = headers.get("host", "")
    if _hostname(host) not in LOCAL_NAMES:
        return 403, f"This cell answers only to 127.0.0.1 and localhost, not to the host name {host!r}."
    if method in SAFE_METHODS:
        return None
    origin = headers.get("origin")
    if (origin is not None and origin.partition("://")[2] != host) or headers.get("sec-fetch-site") == "cross-site":
        return 403, f"A page of another origin ({origin}) may not operate this cell."
    content = headers.get("content-type", "").partition(";")[0].strip().lower()
    if method != "DELETE" and content != "application/json":
        return 415, "The body must be JSON, with the header 'Content-Type: application/json'."
    if "content-length" in headers and not headers["content-length"].isdigit():
        return 400, "The header Content-Length is not a number."
    return None


def _hostname(host: str) -> str | None:
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


async def _body(receive: Receive) -> bytes:
    """The whole body, read no further than just above the limit."""
    body = b""
    while len(body) <= BODY_BYTES_MAX:
        message = await receive()
        body += message.get("body", b"")
        if message["type"] != "http.request" or not message.get("more_body"):
            break
    return body


def _replayed(body: bytes, receive: Receive) -> Receive:
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Message:
        return messages.pop() if messages else await receive()

    return receive_again


def _headers(page: str) -> dict[str, str]:
    inline = re.findall(r'<script type="importmap">(.*?)</script>', page, re.DOTALL)
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in inline]
    scripts = " ".join(["'self'", *(f"'sha256-{value}'" for value in hashes)])
    policy = f"default-src 'self'; script-src {scripts}; object-src 'none'; base-uri 'none'; form-action 'none'; "
    return {
        "Content-Security-Policy": policy + "frame-ancestors 'none'",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Resource-Policy": "same-origin",
    }
