"""How a command reaches the cell: through the link of its state folder, or through the API of a gateway.

The rule kept here: a command does not know which. Both say the same in the same words; what cannot be reached is a
sentence, and a refusal is a sentence too, with what would be possible.
"""

import getpass
import json
import os
import secrets
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import Any, Protocol
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import Request as HttpRequest
from urllib.request import urlopen

import click

from cellctl.cli.routes import route
from cellctl.cli.terminal import FAILED, REFUSED, UNREACHABLE, Failure
from cellctl.core.messages import Action, Receipt, Request
from cellctl.core.wire import WireError, decode_answer, decode_line, decode_sample, encode_line, encode_request
from cellctl.faults import Fault
from cellctl.faults.door import FAULTS_SOCKET
from cellctl.gateway.alarms import AlarmRecords
from cellctl.gateway.parts import Parts
from cellctl.gateway.told import NOT_ON_TRIAL, cell_told, sentence, unknown
from cellctl.records import ARCHIVE_FOLDER, JOURNAL_FILE, STATE_FOLDER, Records, RecordsError

SOCKET = "control.sock"
DEFAULT_URL = "http://127.0.0.1:8080"

#: Control answers within 5 s, if only to say that its disk does not.
ANSWER_S = 7.0

#: A snapshot is never longer.
MESSAGE_BYTES_MAX = 16 * 1024 * 1024

NOT_RUNNING = (
    "No cell is running here. Start one with 'cellctl run' or 'cellctl demo', or name it with --state or --url."
)

FOREIGN = "What answers there is not the gateway of a cell."


class Reach(Protocol):
    """A running cell, or (for what is on record) one that ran."""

    def cell(self) -> dict[str, Any]:
        """The cell at this moment, as `GET /api/v1/cell` tells it, with its jobs, devices and recipes."""

    def signals(self) -> list[str]:
        """The names of all signals."""

    def submit(self, action: Action) -> str:
        """Ask for something; what the receipt says. Failure REFUSED if the cell does not want."""

    def begin_fault(self, fault: Fault) -> int:
        """Let something go wrong on purpose; its number. Failure if the cell is not on trial, or it cannot be."""

    def end_fault(self, number: int | None) -> None:
        """End one fault, or all."""

    def faults(self) -> list[dict[str, Any]]:
        """The faults that have begun and not ended."""

    def parts(self, limit: int) -> list[dict[str, Any]]:
        """The parts finished last, newest first."""

    def part(self, serial: str) -> dict[str, Any]:
        """One part; Failure if there never was one."""

    def journal(self, kind: str | None, limit: int) -> list[dict[str, Any]]:
        """The last entries of the journal, oldest first."""

    def alarm_history(self, since_ns: int, limit: int) -> list[dict[str, Any]]:
        """What became of alarms since a time, oldest first."""

    def alarm_load(self, since_ns: int, until_ns: int) -> dict[str, Any]:
        """How many alarms came between two times, and which most often."""

    def history(self, signal: str, start_ns: int, limit: int) -> list[dict[str, Any]]:
        """The stored samples of a signal since a time, oldest first."""


def reaching(command: Callable[..., Any], mark: str = SOCKET) -> Callable[..., Any]:
    """The options of a command that talks to a cell; it gets a `Reach` as its first argument."""

    def reached(state: Path | None, url: str | None, **arguments: Any) -> Any:
        return command(reach(state, url, mark), **arguments)

    reached.__name__, reached.__doc__ = command.__name__, command.__doc__
    reached.__dict__ |= command.__dict__
    where = click.option("--state", type=click.Path(path_type=Path), help="The state folder of the cell.")
    return where(click.option("--url", help=f"The address of the cell's gateway, such as {DEFAULT_URL}.")(reached))


def recalling(command: Callable[..., Any]) -> Callable[..., Any]:
    """As `reaching`, for what is on record, of a cell that runs or ran."""
    return reaching(command, JOURNAL_FILE)


def reach(state: Path | None, url: str | None, mark: str = SOCKET) -> Reach:
    """The cell that is meant: the one named; else one in a `.cellctl` folder here or above; else the local gateway.

    `mark` is the file by which a folder is known.
    """
    if url is not None:
        return Remote(_address(url))
    if state is not None:
        return Local(state)
    for folder in (Path.cwd(), *Path.cwd().parents):
        if (folder / STATE_FOLDER / mark).exists():
            return Local(folder / STATE_FOLDER)
    return Remote(DEFAULT_URL)


class Local:
    """A cell of this computer, through its state folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._records = Records(folder)
        self._parts = Parts(folder)
        self._alarms = AlarmRecords(folder)

    def cell(self) -> dict[str, Any]:
        """See `Reach`."""
        return cell_told(self._ask({"view": {}})["view"])

    def signals(self) -> list[str]:
        """See `Reach`."""
        signals = self._ask({"view": {}})["signals"]
        return [decode_sample(name, data).signal for name, data in signals.items()]

    def submit(self, action: Action) -> str:
        """See `Reach`."""
        request = Request(secrets.token_hex(8), action, by=_user(), via="cli")
        answer = decode_answer(self._ask({"submit": encode_request(request)}))
        if isinstance(answer, Receipt):
            return answer.text
        raise refused(answer.reason, answer.possible)

    def begin_fault(self, fault: Fault) -> int:
        """See `Reach`."""
        return int(self._ask_door(do="fault", fault=fault.plain())["number"])

    def end_fault(self, number: int | None) -> None:
        """See `Reach`."""
        self._ask_door(do="mend", number=number)

    def faults(self) -> list[dict[str, Any]]:
        """See `Reach`."""
        running: list[dict[str, Any]] = self._ask_door(do="faults")["faults"]
        return running

    def parts(self, limit: int) -> list[dict[str, Any]]:
        """See `Reach`."""
        with self._recorded():
            return self._parts.latest(limit)

    def part(self, serial: str) -> dict[str, Any]:
        """See `Reach`."""
        with self._recorded():
            found = self._parts.find(serial)
            missing = [] if found else self._parts.missing()
        if found is None:
            runs = " and ".join(f"{first:,} to {last:,}" for first, last in missing)
            away = f"It may be in entries {runs}: their archives are not in {self.folder / ARCHIVE_FOLDER}."
            raise Failure(f"There is no part {serial!r}.", detail=away if missing else "")
        return found

    def journal(self, kind: str | None, limit: int) -> list[dict[str, Any]]:
        """See `Reach`."""
        with self._recorded():
            entries = self._records.latest(kind=kind, limit=limit)
        return [{"sequence": e.sequence, "time_ns": e.time_ns, "kind": e.kind, "data": dict(e.data)} for e in entries]

    def history(self, signal: str, start_ns: int, limit: int) -> list[dict[str, Any]]:
        """See `Reach`."""
        with self._recorded():
            samples = self._records.samples(signal, start_ns, time.time_ns() + 1, limit)
        if not samples and (known := self._known()) and signal not in known:
            raise Failure(unknown("signal", signal, known))
        return [{"time_ns": s.time_ns, "value": s.value, "quality": s.quality.name.lower()} for s in samples]

    def alarm_history(self, since_ns: int, limit: int) -> list[dict[str, Any]]:
        """See `Reach`."""
        with self._recorded():
            return self._alarms.history(since_ns, limit)

    def alarm_load(self, since_ns: int, until_ns: int) -> dict[str, Any]:
        """See `Reach`."""
        with self._recorded():
            return self._alarms.load(since_ns, until_ns)

    @contextmanager
    def _recorded(self) -> Iterator[None]:
        """What is on record; Failure if nothing is, or it cannot be read."""
        if not (self.folder / JOURNAL_FILE).exists():
            raise Failure(f"No cell ever ran on the state folder {self.folder}.", UNREACHABLE)
        try:
            yield
        except RecordsError as error:
            raise Failure(str(error)) from error

    def _known(self) -> list[str]:
        """The signals of a cell that runs; none of one that does not."""
        try:
            return self.signals()
        except Failure:
            return []

    def _ask_door(self, **message: object) -> dict[str, Any]:
        """What a cell on trial says about faults."""
        if not (self.folder / FAULTS_SOCKET).exists():
            self.cell()  # if there is no cell at all, that is what is told
            raise Failure(NOT_ON_TRIAL, REFUSED)
        answer = self._ask(message, FAULTS_SOCKET)
        if not answer["ok"]:
            raise refused(answer["error"], [])
        return answer

    def _ask(self, message: Mapping[str, Any], door: str = SOCKET) -> dict[str, Any]:
        """One line there, one line back."""
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(ANSWER_S)
                connection.connect(str(self.folder / door))
                connection.sendall(encode_line(message))
                with connection.makefile("rb") as answers:
                    return decode_line(answers.readline(MESSAGE_BYTES_MAX), MESSAGE_BYTES_MAX)
        except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError) as error:
            raise Failure(NOT_RUNNING, UNREACHABLE, f"State folder: {self.folder}") from error
        except PermissionError as error:
            raise Failure(f"The cell on {self.folder} belongs to another user.", UNREACHABLE) from error
        except TimeoutError as error:
            raise _silent(str(self.folder)) from error
        except (OSError, WireError) as error:
            raise Failure(f"The cell on {self.folder} does not answer.", UNREACHABLE, str(error)) from error


class Remote:
    """A cell behind a gateway."""

    def __init__(self, url: str) -> None:
        self._url = url

    def cell(self) -> dict[str, Any]:
        """See `Reach`."""
        return {**self._get("cell"), **{name: self._get(name) for name in ("jobs", "devices", "recipes")}}

    def signals(self) -> list[str]:
        """See `Reach`."""
        return list(self._get("signals"))

    def submit(self, action: Action) -> str:
        """See `Reach`."""
        method, path, body = route(action)
        return str(self._talk(method, path, {**body, "id": secrets.token_hex(8)} if method == "POST" else None)["text"])

    def begin_fault(self, fault: Fault) -> int:
        """See `Reach`."""
        return int(self._talk("POST", "faults", fault.plain())["number"])

    def end_fault(self, number: int | None) -> None:
        """See `Reach`."""
        self._talk("DELETE", "faults" if number is None else f"faults/{number}", None)

    def faults(self) -> list[dict[str, Any]]:
        """See `Reach`."""
        running: list[dict[str, Any]] = self._get("faults")
        return running

    def parts(self, limit: int) -> list[dict[str, Any]]:
        """See `Reach`."""
        finished: list[dict[str, Any]] = self._get("parts", limit=limit)["finished"]
        return finished

    def part(self, serial: str) -> dict[str, Any]:
        """See `Reach`."""
        found: dict[str, Any] = self._get(f"parts/{quote(serial, safe='')}")
        return found

    def journal(self, kind: str | None, limit: int) -> list[dict[str, Any]]:
        """See `Reach`."""
        entries: list[dict[str, Any]] = self._get("journal", limit=limit, **({"kind": kind} if kind else {}))
        return entries

    def history(self, signal: str, start_ns: int, limit: int) -> list[dict[str, Any]]:
        """See `Reach`."""
        samples: list[dict[str, Any]] = self._get("history", signal=signal, start_ns=start_ns, limit=limit)["samples"]
        return samples

    def alarm_history(self, since_ns: int, limit: int) -> list[dict[str, Any]]:
        """See `Reach`."""
        events: list[dict[str, Any]] = self._get("alarms/history", since_ns=since_ns, limit=limit)
        return events

    def alarm_load(self, since_ns: int, until_ns: int) -> dict[str, Any]:
        """See `Reach`."""
        load: dict[str, Any] = self._get("alarms/frequent", since_ns=since_ns, until_ns=until_ns)
        return load

    def _get(self, path: str, **query: object) -> Any:
        return self._talk("GET", path + (f"?{urlencode(query)}" if query else ""), None)

    def _talk(self, method: str, path: str, body: Mapping[str, Any] | None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = HttpRequest(f"{self._url}/api/v1/{path}", data, {"Content-Type": "application/json"}, method=method)
        try:
            with urlopen(request, timeout=ANSWER_S) as answer:
                return json.load(answer)
        except HTTPError as error:
            raise _told(error, asked=method != "GET") from error
        except (OSError, ValueError, HTTPException) as error:
            reason = error.reason if isinstance(error, URLError) else error
            if isinstance(reason, TimeoutError):
                raise _silent(self._url) from error
            raise Failure(NOT_RUNNING, UNREACHABLE, f"{self._url}: {reason}") from error


def _silent(where: str) -> Failure:
    return Failure(f"The cell on {where} did not answer within {ANSWER_S:g} s.", UNREACHABLE)


def _address(text: str) -> str:
    """What was given as `--url`, without the slash at its end."""
    try:
        parts = urlsplit(text)
        if parts.scheme in ("http", "https") and parts.hostname and parts.port != 0:
            return text.rstrip("/")
    except ValueError:  # a port that is no number
        pass
    raise click.UsageError(f"--url: {text!r} is not an address such as {DEFAULT_URL}.")


def refused(reason: str, possible: tuple[str, ...] | list[str]) -> Failure:
    """A refusal of the cell as this program ends."""
    return Failure(sentence(reason), REFUSED, f"Possible now: {', '.join(possible)}." if possible else "")


def _told(error: HTTPError, *, asked: bool) -> Failure:
    """What the gateway says about a request that it did not do."""
    with error:
        try:
            told = json.load(error)
            reason, possible = str(told["reason"]), list(told["possible"])
        except (ValueError, KeyError, TypeError):
            return Failure(FOREIGN, UNREACHABLE, f"{error.url}: {error.code}")
    if asked and error.code in (404, 409, 422):
        return refused(reason, possible)
    return Failure(reason, UNREACHABLE if error.code in (502, 503, 504) else FAILED)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
