"""The shapes of the three kinds of YAML files: cell, profile, recipe.

The rule kept here: every key that a person may write stands here once, with its type. What keys mean to each other
is checked where the parts are put together.
"""

# ruff: noqa: RUF012 - pydantic copies the defaults of a model

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, GetJsonSchemaHandler, WithJsonSchema, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from cellctl.core.messages import CommandClass
from cellctl.core.signal import Value
from cellctl.model.problems import ONE_OF_THEM, Wrong, did_you_mean
from cellctl.model.quantity import AmountText, Duration, Id, Lasting, Name, Period, Range, Unit, Words
from cellctl.model.secrets import Secret
from cellctl.model.shape import Shape, read_version

SignalType = Literal["bool", "int", "float", "text"]
Version = Annotated[int, BeforeValidator(read_version), WithJsonSchema({"const": 1})]
#: What only one protocol understands: checked by its driver.
ProtocolKeys = dict[str, Any]


def read_identify(value: object) -> object:
    """How a device is known, as a mapping, or ``none``: it cannot say what it is."""
    if value is None or value == "none" or isinstance(value, dict):
        return value
    wrong = "identify: this does not fit; needed is a mapping, or none"
    raise Wrong("E123", wrong, "write what the protocol needs, such as {read: ..., expect: ...}")


def read_class(value: object) -> CommandClass:
    """The class of a command: how often it may reach the device."""
    classes = [each.value for each in CommandClass]
    if value == "toggle":
        hint = "write two commands that say what shall be, such as on and off"
        raise Wrong("E309", "a toggle cannot be repeated, nor can its end be known", hint)
    if value not in classes:
        hint = did_you_mean(str(value), classes, ONE_OF_THEM)
        raise Wrong("E125", f"{value!r} is not one of {', '.join(classes)}", hint)
    return CommandClass(value)


def read_secret(value: object) -> str | Secret:
    """A text or ``!secret name``."""
    if isinstance(value, str | Secret):
        return value
    raise Wrong("E124", "this is not a text", "put it in quotes, or write '!secret name'")


def read_values(value: object) -> tuple[Value, ...]:
    """One value or a list of values."""
    listed = value if isinstance(value, list) else [value]
    if not all(isinstance(each, bool | int | float | str) for each in listed):
        raise Wrong("E123", "these are not values", "write one value, or [first, second]")
    return tuple(listed)


Class = Annotated[CommandClass, BeforeValidator(read_class)]
Password = Annotated[
    Any, BeforeValidator(read_secret), WithJsonSchema({"type": "string", "description": "text or !secret name"})
]
Lines = Annotated[tuple[str, ...], BeforeValidator(lambda value: tuple(value) if isinstance(value, list) else (value,))]
Values = Annotated[Any, BeforeValidator(read_values), WithJsonSchema({})]


# --- cell.yaml ----------------------------------------------------------------------------------------------


class CellHead(Shape):
    """Who the cell is."""

    id: Id
    name: Words
    timezone: str = "UTC"


class DeviceRow(Shape):
    """What is connected, and where; `set` is laid over the settings of the profile."""

    profile: Id
    at: str
    name: Words | None = None
    user: Password = ""
    password: Password = ""
    set: ProtocolKeys = {}


class StationRow(Shape):
    """A place for one part, and the devices that one phase at a time uses there."""

    uses: list[str] = []
    text: Words | None = None


class InterlockRow(Shape):
    """What must hold, and what happens else."""

    need: str
    reaction: Literal["hold", "suspend", "stop", "abort"] = Field(alias="else")
    text: Words
    do: Words | None = None


class AlarmRow(Shape):
    """What needs a person, and what the person shall do."""

    when: str
    priority: Literal["high", "medium", "low", "info"]
    text: Words
    do: Words
    shelve: Duration = 0
    suppress: str | None = None


class ModeRow(Shape):
    """The states that a mode leaves out."""

    disabled: list[str] = []


class OeeRow(Shape):
    """How stops are counted."""

    short_stop: Duration
    reasons: list[Name] = []


class EnergyRow(Shape):
    """Which signal counts energy, and what a unit of it emits."""

    meter: str
    co2: AmountText | None = None
    source: str = ""


class JournalRow(Shape):
    """How long entries stay in the journal before they are moved into an archive."""

    keep: Duration


class CellFile(Shape):
    """cell.yaml: what is connected, where; stations, interlocks, alarms."""

    cellctl: Version
    cell: CellHead
    devices: dict[Name, DeviceRow]
    stations: dict[Name, StationRow] = {}
    states: dict[str, list[str]] = {}
    modes: dict[str, ModeRow] = {}
    interlocks: dict[Name, InterlockRow] = {}
    alarms: dict[Name, AlarmRow] = {}
    oee: OeeRow | None = None
    energy: EnergyRow | None = None
    journal: JournalRow | None = None


# --- profiles/*.yaml ----------------------------------------------------------------------------------------


class Sourced(Shape):
    """What may stand in any row of a profile; further keys belong to the protocol."""

    model_config = ConfigDict(extra="allow")

    text: Words | None = None
    source: str = ""
    confidence: Literal["A", "B"] | None = None


class SignalRow(Sourced):
    """One signal of a device."""

    type: SignalType
    unit: Unit = ""
    read: str | None = None
    write: str | None = None
    every: Period = 1_000_000_000
    scale: float = 1.0
    offset: float = 0.0
    range: Range | None = None
    bad_if: Values = ()
    safe: AmountText | None = None
    verify: AmountText | None = None
    latch: Literal["rising", "falling"] | None = None
    stale: Lasting | None = None


class ArgumentRow(Shape):
    """One parameter of a command."""

    type: SignalType | None = None
    unit: Unit = ""
    range: Range | None = None
    default: AmountText | None = None
    choices: dict[str, Any] = {}
    text: Words | None = None


class CommandRow(Sourced):
    """One command of a device: when it is done, how often it may be sent, what it answers."""

    command_class: Class = Field(alias="class")
    timeout: Period
    parameters: dict[Name, ArgumentRow] = {}
    until: str | None = None
    probe: str | None = None
    running: str | None = None
    unsent: str | None = None
    result: dict[Name, str] = {}
    safe: bool = False


class GoldenRow(Shape):
    """A golden vector: what stands on the wire, and what it means (`is`) or for what it is sent (`set`, `call`)."""

    wire: Lines
    means: dict[Name, Any] = Field({}, alias="is")
    set: dict[Name, Any] = {}
    call: Name = ""
    given: dict[Name, Any] = Field({}, alias="with")
    token: int = 0
    source: str = ""


class LeaseRow(Shape):
    """What the device does by itself when its watchdog is not fed for `within`: then `tripped` is true, until `reset`,
    a command of the profile, or a person at the device resets it."""

    tripped: str
    within: Period
    reset: Name = ""


class SimRow(Shape):
    """The device model that simulates the device."""

    model: str


class ProfileHead(Shape):
    """Which type of device this is, and where the facts come from; `at` as the address of such a device is in a cell,
    with what it is set to when it is delivered."""

    id: Id
    version: Annotated[int, Field(ge=1)]
    protocol: str
    vendor: str = ""
    source: str = ""
    confidence: Literal["A", "B"] | None = None
    at: str = ""
    extends: Id | None = None


class ProfileFile(Shape):
    """A profile: a device type as data. One further section, for the protocol's settings, may stand in it."""

    model_config = ConfigDict(extra="allow")

    cellctl: Version
    profile: ProfileHead
    identify: Annotated[ProtocolKeys | Literal["none"] | None, BeforeValidator(read_identify)] = None
    watchdog: ProtocolKeys | None = None
    lease: LeaseRow | None = None
    modbus: ProtocolKeys | None = None
    opcua: ProtocolKeys | None = None
    line: ProtocolKeys | None = None
    signals: dict[Name, SignalRow] = {}
    commands: dict[Name, CommandRow] = {}
    golden: list[GoldenRow] = []
    sim: SimRow | None = None


# --- recipes/*.yaml -----------------------------------------------------------------------------------------


class RecipeHead(Shape):
    """Which product, which version, and how many parts are under way at once."""

    id: Id
    version: str
    product: str = ""
    cell: str | None = None
    extends: Id | None = None
    abstract: bool = False
    ideal_cycle: Duration = 0
    wip: Annotated[int, Field(ge=1)] = 1


class ParameterRow(Shape):
    """A value, what the process allows, what the panel may change, and the signal it is downloaded to."""

    value: AmountText
    limits: Range | None = None
    tune: Range | None = None
    per: Literal["part"] | None = None
    to: str = ""
    label: Words | None = None

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, data: Any) -> Any:
        return data if isinstance(data, dict) else {"value": data}

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """The short form is a value; the long one is an object."""
        return {"anyOf": [{"type": ["string", "number", "boolean"]}, handler(schema)]}


class PersonStep(Shape):
    """A changeover step that a person does: `prepare` before, `do` at the cell."""

    prepare: Words | None = None
    do: Words | None = None
    external: bool = False
    photo: str = ""
    expect: Duration = 0
    confirm: str = "tick"


class RunStep(Shape):
    """A changeover step that the cell does: a phase, or ``{phase: {parameters}}``."""

    run: str | dict[str, Any]


class DownloadStep(Shape):
    """Write, read back, and compare every parameter that has a target."""

    download: Literal["verify"]


class ApprovalRow(Shape):
    """Who approves how many first parts, and what is looked at."""

    parts: Annotated[int, Field(ge=1)] = 1
    approve: str = ""
    checks: list[str] = []


class FirstArticleStep(Shape):
    """The first parts are released one by one."""

    first_article: ApprovalRow


#: The first key of a changeover step -> its shape.
CHANGEOVER: dict[str, type[Shape]] = {
    "prepare": PersonStep,
    "do": PersonStep,
    "run": RunStep,
    "download": DownloadStep,
    "first_article": FirstArticleStep,
}


def _inlined(shape: type[Shape]) -> dict[str, Any]:
    """The schema of a shape with the shapes inside it in their places: it is to stand within another schema."""
    schema = shape.model_json_schema()
    inner = {f"#/$defs/{name}": part for name, part in schema.pop("$defs", {}).items()}
    properties = {name: inner.get(part.get("$ref"), part) for name, part in schema["properties"].items()}
    return {**schema, "properties": properties}


_STEP = {"type": "array", "items": {"type": "object"}}
_CHANGEOVER_STEP = {
    "type": "array",
    "items": {"anyOf": [_inlined(shape) for shape in dict.fromkeys(CHANGEOVER.values())]},
}
#: Checked step by step: the keys of a procedure are the names of phases.
Procedure = Annotated[list[Any], WithJsonSchema(_STEP)]
Changeover = Annotated[list[Any], WithJsonSchema(_CHANGEOVER_STEP)]


class RecipeFile(Shape):
    """A recipe: which phases, in which order, with which values."""

    cellctl: Version
    recipe: RecipeHead
    parameters: dict[Name, ParameterRow] = {}
    procedure: Procedure | None = None
    changeover: Changeover = []


SCHEMAS: dict[str, type[Shape]] = {"cell": CellFile, "profile": ProfileFile, "recipe": RecipeFile}


def json_schema(kind: str) -> dict[str, Any]:
    """The JSON Schema of a kind of file: cell, profile or recipe. KeyError for another kind."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "patternProperties": {"^x-": {}},
        **SCHEMAS[kind].model_json_schema(by_alias=True),
    }
