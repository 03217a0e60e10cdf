"""Where the API takes what is asked of a cell.

The rule kept here: every action of the core has its address.
"""

from typing import Any, assert_never
from urllib.parse import quote

from cellctl.core.messages import (
    Acknowledge,
    Action,
    AddJob,
    CancelChangeover,
    CancelJob,
    ConfirmStep,
    Operate,
    Recover,
    SetMode,
    Shelve,
    StartChangeover,
    Unshelve,
)


def route(action: Action) -> tuple[str, str, dict[str, Any]]:
    """Where the API takes an action: method, path, body."""
    match action:
        case Operate(command):
            return "POST", "commands", {"command": command.name.lower()}
        case SetMode(mode):
            return "POST", "mode", {"mode": mode.name.lower()}
        case AddJob(job, recipe, quantity, parts):
            return "POST", "jobs", {"job": job, "recipe": recipe, "quantity": quantity, "parts": [*map(dict, parts)]}
        case CancelJob(job):
            return "DELETE", f"jobs/{quote(job, safe='')}", {}
        case StartChangeover(recipe):
            return "POST", "changeover", {"recipe": recipe}
        case ConfirmStep(index, evidence):
            return "POST", "changeover/confirm", {"index": index, "evidence": evidence}
        case CancelChangeover():
            return "DELETE", "changeover", {}
        case Recover(question, choice):
            return "POST", "recover", {"question": question, "choice": choice}
        case Acknowledge(alarms):
            return "POST", "alarms/acknowledge", {"alarms": list(alarms)}
        case Shelve(alarm, for_ns, reason):
            return "POST", "alarms/shelved", {"alarm": alarm, "for": f"{for_ns / 1e9:.9g} s", "reason": reason}
        case Unshelve(alarm):
            return "DELETE", f"alarms/shelved/{quote(alarm, safe='')}", {}
        case _:
            assert_never(action)
