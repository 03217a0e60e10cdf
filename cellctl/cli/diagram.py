"""The PackML state machine as a Mermaid diagram, drawn from the tables that the machine runs on.

The rule kept here: nothing about the machine is said here. A command that is legal nearly everywhere is drawn once,
from a frame around its states.
"""

from cellctl.core.packml import COMMANDS, STATE_COMPLETE, Command, State

#: A command with more sources than this is drawn from a frame, or its arrows hide the picture.
FRAME_ABOVE = 5


def mermaid() -> str:
    """The whole machine as a `stateDiagram-v2`."""
    frames = sorted((c for c in Command if len(COMMANDS[c][0]) > FRAME_ABOVE), key=lambda c: -len(COMMANDS[c][0]))
    lines = ["stateDiagram-v2", *_framed(frames, frozenset(State), depth=1)]
    for command in frames:
        lines.append(f"    {_frame(command)} --> {COMMANDS[command][1].title}: {command.title}")
    for command in Command:
        if command not in frames:
            sources, target = COMMANDS[command]
            lines += [f"    {source.title} --> {target.title}: {command.title}" for source in sorted(sources)]
    lines += [f"    {here.title} --> {there.title}: SC" for here, there in STATE_COMPLETE.items()]
    return "\n".join(lines)


def _framed(frames: list[Command], states: frozenset[State], depth: int) -> list[str]:
    """The states inside and outside of the outermost frame; inner frames lie inside it."""
    pad = "    " * depth
    if not frames:
        return [f"{pad}{state.title}" for state in sorted(states)]
    command, *inner = frames
    inside = COMMANDS[command][0] & states
    return [
        *(f"{pad}{state.title}" for state in sorted(states - inside)),
        f'{pad}state "{command.title} is legal" as {_frame(command)} {{',
        *_framed(inner, inside, depth + 1),
        f"{pad}}}",
    ]


def _frame(command: Command) -> str:
    return f"can_{command.name.lower()}"
