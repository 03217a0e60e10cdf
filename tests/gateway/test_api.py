"""What the API answers and what it passes on."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import httpx

from cellctl.core.messages import (
    AddJob,
    CancelChangeover,
    CancelJob,
    ConfirmStep,
    Operate,
    Recover,
    Refused,
    SetMode,
    StartChangeover,
)
from cellctl.core.packml import Command, Mode
from tests.gateway.control import FakeControl, changing_over, held, producing, until


async def test_the_cell_has_the_published_fields(gateway: httpx.AsyncClient) -> None:
    cell = (await gateway.get("cell")).json()
    assert cell["id"] == "bm1"
    assert (cell["state"], cell["state_number"], cell["mode"], cell["simulated"]) == ("Execute", 6, "Production", True)
    assert cell["recipe"] == {"id": "module-12s", "version": "7", "product": "MOD-12S-A"}
    assert {name: cell["job"][name] for name in ("id", "quantity", "done")} == {
        "id": "job-1",
        "quantity": 20,
        "done": 7,
    }
    assert cell["counts"] == {"good": 46, "reject": 1}
    assert cell["waiting"] == []
    assert cell["jobs_waiting"] == 1


async def test_no_recipe_and_no_job_are_null(gateway: httpx.AsyncClient, control: FakeControl) -> None:
    control.view = producing(recipe=None, job=None, jobs=())
    cell = await cell_when(gateway, lambda cell: cell["job"] is None)
    assert cell["recipe"] is None
    assert cell["jobs_waiting"] == 0


async def test_a_held_cell_says_why_and_what_may_be_chosen(gateway: httpx.AsyncClient, control: FakeControl) -> None:
    control.view = held()
    cell = await cell_when(gateway, lambda cell: cell["state"] == "Held")
    assert cell["waiting"][0] == "laser is not connected: no answer"
    assert cell["why"][0]["do"] == "Check its power and its cable."
    assert cell["why"][1]["choices"] == ["retry", "skip", "scrap"]
    rules = {rule["command"]: rule for rule in cell["commands"]}
    assert list(rules) == [command.name.lower() for command in Command]
    assert rules["stop"] == {"command": "stop", "title": "Stop", "in_state": True, "legal": True, "reason": ""}
    assert (rules["unhold"]["in_state"], rules["unhold"]["legal"]) == (True, False)
    assert rules["unhold"]["reason"].startswith("Unhold is not possible: laser")
    assert rules["start"]["reason"] == "Not possible in state Held"
    assert (await gateway.get("alarms")).json()[0]["id"] == "window_dirty"


async def test_stations_tell_what_is_done_with_their_part(gateway: httpx.AsyncClient) -> None:
    load, weld, test = (await gateway.get("cell")).json()["stations"]
    assert (weld["part"], weld["doing"]) == ("job-1-0008", "weld_busbars: point 7 of 24")
    assert load["waits"] == ["place_module: waits for eol.measure(time=2,voltage=500)"]
    assert (test["part"], test["doing"]) == ("", "")


async def test_lists(gateway: httpx.AsyncClient, control: FakeControl) -> None:
    devices = (await gateway.get("devices")).json()
    assert [device["id"] for device in devices] == ["plc", "robot", "grip", "laser", "eol", "meter"]
    assert (await gateway.get("devices/plc")).json() == devices[0]
    signals = (await gateway.get("signals")).json()
    assert signals["plc.air_pressure"] == {
        "value": 6.1,
        "quality": "good",
        "reason": "",
        "time_ns": 10,
        "received_ns": 20,
    }
    assert (await gateway.get("signals/laser.power")).json()["reason"] == "no value yet"
    assert [job["id"] for job in (await gateway.get("jobs")).json()] == ["job-1", "job-2"]
    assert [recipe["id"] for recipe in (await gateway.get("recipes")).json()] == ["module-12s", "module-8s"]
    parts = (await gateway.get("parts")).json()
    assert [part["serial"] for part in parts["in_process"]] == ["job-1-0008", "job-1-0009"]
    assert parts["finished"] == []


async def test_every_request_reaches_the_cell_as_it_was_meant(gateway: httpx.AsyncClient, control: FakeControl) -> None:
    control.view = held()
    await cell_when(gateway, lambda cell: cell["state"] == "Held")
    question = control.view.questions[0].id
    asked = [
        (gateway.post("commands", json={"command": "hold", "id": "r1"}), Operate(Command.HOLD)),
        (gateway.post("mode", json={"mode": "set_up"}), SetMode(Mode.SET_UP)),
        (
            gateway.post(
                "jobs", json={"job": "j", "recipe": "module-8s", "quantity": 2, "parts": [{"engraving": "a"}]}
            ),
            AddJob("j", "module-8s", 2, ({"engraving": "a"},)),
        ),
        (gateway.delete("jobs/job-2"), CancelJob("job-2")),
        (gateway.post("changeover", json={"recipe": "module-8s"}), StartChangeover("module-8s")),
        (gateway.post("changeover/confirm", json={"index": 1, "evidence": "F-8S"}), ConfirmStep(1, "F-8S")),
        (gateway.delete("changeover"), CancelChangeover()),
        (gateway.post("recover", json={"question": question, "choice": "retry"}), Recover(question, "retry")),
    ]
    for request, action in asked:
        answer = await request
        assert answer.status_code == 202, answer.text
        assert control.requests[-1].action == action
        assert control.requests[-1].via == "http"
        assert answer.json()["id"] == control.requests[-1].id
    assert control.requests[0].id == "r1"
    assert len({request.id for request in control.requests}) == len(asked)


async def test_a_refusal_is_409_with_the_reason_and_what_is_possible(
    gateway: httpx.AsyncClient, control: FakeControl
) -> None:
    control.answer = lambda request: Refused(request.id, "Start is not possible in state Execute", ("stop", "hold"))
    answer = await gateway.post("commands", json={"command": "start"})
    assert answer.status_code == 409
    assert answer.json() == {
        "status": 409,
        "reason": "Start is not possible in state Execute",
        "possible": ["stop", "hold"],
        "fields": [],
    }


async def test_the_changeover_is_shown_with_its_steps(gateway: httpx.AsyncClient, control: FakeControl) -> None:
    control.view = changing_over()
    cell = await cell_when(gateway, lambda cell: cell["changeover"] is not None)
    told = cell["changeover"]
    assert [step["state"] for step in told["steps"]] == ["done", "active", "open"]
    assert told["downloads"][0] == asdict(control.view.changeover)["downloads"][0]  # type: ignore[call-overload]


async def test_the_api_describes_itself_without_the_internet(origin: str, gateway: httpx.AsyncClient) -> None:
    async with httpx.AsyncClient(verify=False) as client:
        described = (await client.get(f"{origin}/openapi.json")).json()
        assert (await client.get(f"{origin}/docs")).status_code == 404
    assert {"/api/v1/cell", "/api/v1/commands", "/api/v1/jobs", "/api/v1/changeover"} <= set(described["paths"])
    assert "409" in described["paths"]["/api/v1/commands"]["post"]["responses"]


async def cell_when(gateway: httpx.AsyncClient, condition: Callable[[Any], bool]) -> Any:
    """The cell as soon as it is as wanted: the gateway hears of changes a moment later."""
    cell: Any = None

    async def as_wanted() -> bool:
        nonlocal cell
        cell = (await gateway.get("cell")).json()
        return condition(cell)

    await until(as_wanted)
    return cell
