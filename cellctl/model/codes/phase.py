"""Codes of phases: E4xx. Each is (title, meaning, wrong, right)."""

PHASE: dict[str, tuple[str, str, str, str]] = {
    "E401": (
        "this is not Python",
        "The file cannot be read as Python. The mistake is in this line or just before it.",
        "async def weld(c)\n    await c.laser.on()",
        "async def weld(c):\n    await c.laser.on()",
    ),
    "E402": (
        "a forbidden import",
        "A phase meets nothing but its context c: no clock, no chance, no files, no network. So it can be tested in\n"
        "virtual time, continued after a restart, and can never block the cell.",
        "import time\ntime.sleep(2)",
        'await c.sleep("2 s")',
    ),
    "E403": (
        "a phase that is a plain def",
        "A phase waits for devices, so it is an 'async def'.",
        "@phase()\ndef home(c): ...",
        "@phase()\nasync def home(c): ...",
    ),
    "E404": (
        "a forgotten await",
        "Without 'await' the order is never sent, or the wait never happens.",
        "c.laser.on()",
        "await c.laser.on()",
    ),
    "E405": (
        "a loop that never waits",
        "A loop without an 'await' in it would stop the whole cell.",
        "while not c.laser.ready.value:\n    pass",
        'await c.until("laser.ready", timeout="5 s")',
    ),
    "E406": (
        "c.safe used wrongly",
        "What must be done when the phase is left stands in 'async with', and is named, not called.",
        "with c.safe(c.laser.off()):",
        "async with c.safe(c.laser.off):",
    ),
    "E407": (
        "an unknown device, signal or command",
        "The cell has no device of this name, or its profile has no such signal or command.",
        "await c.laser.pwer.set(1450)",
        "await c.laser.power.set(1450)",
    ),
    "E408": (
        "an unknown station",
        "The phase claims a station that cell.yaml does not have.",
        '@phase(station="wedl")',
        '@phase(station="weld")',
    ),
    "E409": (
        "a device that the station does not use",
        "Two stations never command one device at once: a phase claims only devices that its station lists in 'uses'.",
        '@phase(station="load", uses=("laser",))      # load: {uses: [plc]}',
        '@phase(station="weld", uses=("laser",))      # weld: {uses: [robot, laser]}',
    ),
    "E410": (
        "a phase defined twice",
        "A recipe could not tell which of them is meant.",
        "@phase()\nasync def home(c): ...\n@phase()\nasync def home(c): ...",
        "@phase()\nasync def home(c): ...\n@phase()\nasync def home_arm(c): ...",
    ),
    "E411": (
        "the file raises when it is read",
        "A file of phases only defines. While it was read, Python raised this error.",
        "LIMIT = 1 / 0",
        "LIMIT = 10",
    ),
    "E412": (
        "something that runs while the file is read",
        "Outside of functions there are only imports, constants and definitions: the file is read without a machine.",
        "for n in range(10):\n    print(n)",
        "@phase()\nasync def count(c):\n    for n in range(10): ...",
    ),
    "E413": (
        "a forbidden call",
        "A phase prints nothing and opens nothing: it tells people by c.progress and c.ask, and the part by c.record.",
        'print("welding")',
        'c.progress("welding")',
    ),
    "E414": (
        "a wrong declaration of a phase",
        "A phase is '@phase(...)' over 'async def name(c, ...)': the parentheses and the context are\n"
        "needed, and each parameter has a type: float, int, bool or str.",
        "@phase\nasync def home(): ...",
        "@phase()\nasync def home(c): ...",
    ),
    "E415": (
        "a wrong parameter of a phase",
        "A parameter has a known unit, a lower bound below its upper one, and a default between them.",
        'power: float = param("Watt", 1600, 1200)',
        'power: float = param("W", 1200, 1600)',
    ),
    "E416": (
        "an undeclared fault",
        "What a phase raises by c.fault it declares, with the recoveries that a person may choose from.",
        '@phase()\nasync def weld(c):\n    await c.fault("weak_weld")',
        '@phase(faults={"weak_weld": ("retry", "scrap")})\nasync def weld(c):\n    await c.fault("weak_weld")',
    ),
    "E417": (
        "a device commanded without claiming it",
        "Reading is free; commanding needs the device in 'uses', so that no other phase commands it meanwhile.",
        '@phase(station="weld", uses=("robot",))\nasync def weld(c):\n    await c.laser.on()',
        '@phase(station="weld", uses=("robot", "laser"))\nasync def weld(c):\n    await c.laser.on()',
    ),
    "E418": (
        "a condition that is computed too early",
        "c.until takes a text, which is watched; an expression would be computed once, before the wait begins.",
        "await c.until(c.plc.air_pressure.value > 5)",
        'await c.until("plc.air_pressure > 5 bar")',
    ),
    "E419": (
        "a signal that cannot be written so",
        "Only signals with 'write:' in their profile can be set, and only true/false ones have on() and off().",
        "await c.plc.guard_closed.on()",
        "await c.plc.clamp.on()",
    ),
    "E420": (
        "arguments that do not fit",
        "The command has other parameters, or the value is outside its bounds.",
        'await c.robot.goto("hme")',
        'await c.robot.goto("home")',
    ),
    "E421": (
        "a length of time without a unit",
        "Times in phases are texts with a unit, as in the files.",
        "await c.sleep(2)",
        'await c.sleep("2 s")',
    ),
}
