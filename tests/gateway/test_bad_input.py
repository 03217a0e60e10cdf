"""Whatever is sent, the answer is a sentence in the one form of an error, and the cell never hears of it."""

import json

import httpx
import pytest

from cellctl.gateway.address import BindError, bind
from cellctl.gateway.http.guard import BODY_BYTES_MAX
from tests.gateway.control import FakeControl

WRONG = [
    ("commands", {}, "command"),
    ("commands", {"command": 1}, "command"),
    ("commands", {"command": "hold", "why": "x"}, "why"),
    ("commands", {"command": "hold", "id": ""}, "id"),
    ("commands", {"command": "hold", "id": "x" * 201}, "id"),
    ("commands", ["hold"], ""),
    ("mode", {"mode": None}, "mode"),
    ("jobs", {"recipe": "module-8s", "quantity": 0}, "quantity"),
    ("jobs", {"recipe": "module-8s", "quantity": 1.5}, "quantity"),
    ("jobs", {"recipe": "module-8s", "quantity": True}, "quantity"),
    ("jobs", {"recipe": "module-8s", "quantity": "3"}, "quantity"),
    ("jobs", {"recipe": "module-8s", "quantity": 1, "parts": [{"a": None}]}, "parts"),
    ("jobs", {"recipe": "module-8s", "quantity": 1, "parts": {"a": 1}}, "parts"),
    ("changeover", {"recipe": ""}, "recipe"),
    ("changeover/confirm", {"index": -1}, "index"),
    ("recover", {"question": "q"}, "choice"),
]


@pytest.mark.parametrize(("path", "body", "field"), WRONG)
async def test_a_wrong_body_is_422_and_names_the_field(
    gateway: httpx.AsyncClient, control: FakeControl, path: str, body: object, field: str
) -> None:
    problem = told(await gateway.post(path, json=body), 422)
    assert problem["fields"][0]["field"].startswith(field)
    assert control.requests == []


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b'{"command": NaN}', b"[" * 20_000])
async def test_what_is_not_json_is_refused(gateway: httpx.AsyncClient, control: FakeControl, body: bytes) -> None:
    answer = await gateway.post("commands", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422)
    told(answer, answer.status_code)
    assert control.requests == []


async def test_an_unknown_command_says_which_was_meant(gateway: httpx.AsyncClient) -> None:
    problem = told(await gateway.post("commands", json={"command": "hodl"}), 422)
    assert problem["reason"] == "There is no command 'hodl'. Did you mean 'hold'?"
    assert "abort" in problem["possible"]


@pytest.mark.parametrize(
    ("method", "path", "body", "reason"),
    [
        ("GET", "devices/plx", None, "There is no device 'plx'. Did you mean 'plc'?"),
        ("GET", "signals/laser.powr", None, "There is no signal 'laser.powr'. Did you mean 'laser.power'?"),
        ("GET", "parts/none", None, "There is no part 'none'."),
        ("GET", "history?signal=x", None, "There is no signal 'x'. There are: plc.air_pressure, laser.power."),
        (
            "POST",
            "jobs",
            {"recipe": "module-9s", "quantity": 1},
            "There is no recipe 'module-9s'. Did you mean 'module-",
        ),
        ("POST", "changeover", {"recipe": "x"}, "There is no recipe 'x'. There are: module-12s, module-8s."),
        ("DELETE", "jobs/job-3", None, "There is no open job 'job-3'. Did you mean 'job-2'?"),
        ("POST", "recover", {"question": "q", "choice": "retry"}, "There is no open question 'q'. There are: none."),
        ("GET", "nothing", None, "There is no such address."),
    ],
)
async def test_an_unknown_name_is_404(
    gateway: httpx.AsyncClient, method: str, path: str, body: object, reason: str
) -> None:
    assert told(await gateway.request(method, path, json=body), 404)["reason"].startswith(reason)


@pytest.mark.parametrize("query", ["limit=0", "limit=10001", "limit=x", "kind=" + "x" * 101])
async def test_a_wrong_query_is_422(gateway: httpx.AsyncClient, query: str) -> None:
    told(await gateway.get(f"journal?{query}"), 422)


async def test_a_wrong_method_is_405(gateway: httpx.AsyncClient) -> None:
    told(await gateway.delete("cell"), 405)


async def test_a_folder_without_records_is_told(gateway: httpx.AsyncClient) -> None:
    assert "journal" in told(await gateway.get("journal"), 503)["reason"]
    assert "history" in told(await gateway.get("history?signal=laser.power"), 503)["reason"]


async def test_a_huge_body_is_413(gateway: httpx.AsyncClient, control: FakeControl) -> None:
    body = json.dumps({"command": "hold", "id": "x" * BODY_BYTES_MAX}).encode()
    told(await gateway.post("commands", content=body, headers={"Content-Type": "application/json"}), 413)

    async def endless() -> object:
        for _ in range(1000):
            yield b"x" * 1024

    answer = await gateway.post("commands", content=endless(), headers={"Content-Type": "application/json"})
    told(answer, 413)
    assert control.requests == []


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1:1"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Host": "evil.example"}, 403),
        ({"Host": "["}, 403),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
    ],
)
async def test_a_page_of_another_origin_cannot_operate_the_cell(
    gateway: httpx.AsyncClient, control: FakeControl, headers: dict[str, str], status: int
) -> None:
    body = b'{"command": "hold"}'
    told(await gateway.post("commands", content=body, headers={"Content-Type": "application/json", **headers}), status)
    assert control.requests == []


async def test_a_foreign_host_name_reads_nothing(gateway: httpx.AsyncClient) -> None:
    told(await gateway.get("cell", headers={"Host": "rebound.example:8080"}), 403)


async def test_the_page_itself_may_operate_the_cell(gateway: httpx.AsyncClient, origin: str) -> None:
    answer = await gateway.post("commands", json={"command": "hold"}, headers={"Origin": origin})
    assert answer.status_code == 202


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("0.0.0.0:8080", "serves only this computer"),
        ("192.0.2.1:80", "serves only this computer"),
        ("[::]:80", "serves only this computer"),
        (":8080", "not an IP address"),
        ("example.org:80", "not an IP address"),
        ("127.0.0.1", "not an address like"),
        ("127.0.0.1:http", "not an address like"),
        ("127.0.0.1:65536", "not an address like"),
    ],
)
def test_only_loopback_is_listened_on(address: str, sentence: str) -> None:
    with pytest.raises(BindError, match=sentence):
        bind(address)


def test_a_busy_port_is_a_sentence() -> None:
    with bind("localhost:0") as taken:
        port = taken.getsockname()[1]
        with pytest.raises(BindError, match=f"127.0.0.1:{port} is in use by another program"):
            bind(f"127.0.0.1:{port}")


def told(answer: httpx.Response, status: int) -> dict:  # type: ignore[type-arg]
    """The problem that an answer tells, in its one form."""
    assert answer.status_code == status, answer.text
    problem = answer.json()
    assert set(problem) == {"status", "reason", "possible", "fields"}
    assert problem["status"] == status
    assert problem["reason"].endswith((".", "?"))
    return dict(problem)
