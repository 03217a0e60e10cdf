"""The equipment phases of the battery-module cell: short enough to copy."""

from cellctl import param, phase


@phase(station="load")
async def load_module(c):
    """Take the next module from the magazine to the load nest and note its code."""
    fed = await c.plc.feed()
    c.record("code", fed.code)


@phase(station="weld", uses=("robot", "grip", "plc"), always=True)
async def place_module(c):
    """Carry the module from the load nest into the weld fixture and clamp it."""
    await c.plc.clamp.off()
    await carry(c, "load_nest", "weld_nest")
    await c.plc.clamp.on()


@phase(station="weld", uses=("robot", "laser"), faults={"weak_weld": ("retry", "skip", "scrap")})
async def weld_busbars(
    c,
    power: float = param("W", 1200, 1600),
    time: float = param("ms", 40, 120),
    points: int = param(lo=1, hi=96),
):
    """Weld every busbar point of the module in the fixture."""
    await c.laser.power.set(power)
    async with c.safe(c.laser.off):
        await c.laser.on()
        for n in c.steps(range(1, points + 1)):
            await c.robot.goto(f"weld_{n}")
            while True:
                shot = await c.laser.fire(time=time)
                c.record("peak", shot.peak, unit="W", point=n)
                if shot.peak >= 0.85 * power or await c.fault("weak_weld", point=n, peak=shot.peak) != "retry":
                    break


@phase(station="test", uses=("robot", "grip", "plc"), always=True)
async def move_to_test(c):
    """Carry the welded module from the fixture to the test nest."""
    await c.plc.clamp.off()
    await carry(c, "weld_nest", "test_nest")


@phase(station="test", uses=("eol",), faults={"low_resistance": ("retry", "scrap")})
async def hipot(
    c,
    voltage: float = param("V", 100, 1000),
    time: float = param("s", 0.1, 60),
    min_resistance: float = param("MOhm", 1, 10000),
):
    """Measure the insulation resistance between the poles and the housing."""
    await c.eol.voltage.set(voltage)
    async with c.safe(c.eol.off):
        while True:
            test = await c.eol.measure(time=time)
            c.record("resistance", test.resistance, unit="MOhm")
            if test.resistance >= min_resistance or await c.fault("low_resistance") != "retry":
                break


@phase(station="test", uses=("robot", "grip", "plc"), always=True)
async def unload_module(c):
    """Carry the module out: good ones to the outfeed, the others to the reject bin."""
    await carry(c, "test_nest", "outfeed" if c.part.good else "reject_bin")


@phase()
async def home_all(c):
    """Open the gripper's way home: laser off, arm at home, gripper ready."""
    await c.laser.off()
    await c.grip.activate()
    await c.robot.goto("home")


@phase()
async def all_safe(c):
    """Take the energy out of the process."""
    await c.laser.off()
    await c.eol.off()


@phase()
async def clear_stations(c):
    """Make sure that no module of the last product is left in a nest."""
    await c.until("not plc.load_occupied and not plc.weld_occupied and not plc.test_occupied", timeout="30 s")


async def carry(c, source: str, target: str):
    """Pick the module up at `source` and put it down at `target`; what is finished is not repeated."""
    for step in c.steps(("open", source, target), name="carry"):
        if step == "open":
            await c.grip.open()
            continue
        await c.robot.goto(step)
        if step == source:
            await c.grip.close()
            await c.until("grip.grasped", timeout="1 s")
        else:
            await c.grip.open()
