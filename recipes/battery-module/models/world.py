"""The world of this cell: where every module really is, what was done to it, and what should not have happened."""

from dataclasses import dataclass, field
from typing import ClassVar

from cellctl_simulators import World

PLACES = {1: "load_nest", 2: "weld_nest", 3: "test_nest", 4: "outfeed", 5: "reject_bin"}  # by point of the arm
NESTS = ("load_nest", "weld_nest", "test_nest")
BINS = {"outfeed": "good", "reject_bin": "reject"}
FIRST_WELD_POINT = 100
GRIPPER, FLOOR = "gripper", "floor"
MODULE_WIDTH = 140  # where the fingers meet it, 0 open .. 255 closed
CABINET_W = 180.0  # what the cell takes when nothing moves


@dataclass(slots=True)
class Module:
    """One module: its code, where it is, the points welded in order, and the resistances measured."""

    code: str
    place: str
    welds: list = field(default_factory=list)
    peaks: list = field(default_factory=list)
    tests: list = field(default_factory=list)


class Bm1World(World):
    """Plc, robot, grip, laser, eol and meter of the battery-module cell."""

    def __init__(self, models, *, speed=1.0):
        super().__init__(models, speed=speed)
        self.modules = {}
        self.violations = []
        self._stands = ""  # the place that the arm is at

    def connect(self):
        """Sensors see modules, the gripper feels them, the meter counts what everything takes."""
        for nest in NESTS:
            self.inputs[f"plc.{nest.removesuffix('_nest')}_occupied"] = self._at(nest) is not None
        on_load = self._at("load_nest")
        self.inputs["plc.load_code"] = on_load.code if on_load else ""
        self.inputs["eol.module"] = self._at("test_nest") is not None
        within_reach = self._at(GRIPPER) or (self._stands in NESTS and self._at(self._stands))
        self.inputs["grip.object"] = MODULE_WIDTH if within_reach else 0
        powers = [value for name, value in self.outputs.items() if name.endswith(".power")]
        self.inputs["meter.power"] = CABINET_W + sum(powers)

    def changed(self, name, value):
        """Draw the consequence of what a device did."""
        consequence = self.CONSEQUENCES.get(name)
        if consequence:
            consequence(self, value)

    def truth(self):
        """Where every module is and what was done to it; counts; what should not have happened."""
        modules = self.modules.values()
        return {
            "time_s": self.now_ns / 1e9,
            "parts": {each.code: self._told(each) for each in modules},
            "fed": len(modules),
            "good": sum(BINS.get(each.place) == "good" for each in modules),
            "reject": sum(BINS.get(each.place) == "reject" for each in modules),
            "blanks": self.inputs["plc.blanks"],
            "energy_kwh": self.outputs.get("meter.energy", 0.0),
            "violations": list(self.violations),
        }

    def _told(self, module):
        bin_name = BINS.get(module.place)
        return {
            "place": module.place,
            "bin": bin_name,
            "welds": list(module.welds),
            "peaks": list(module.peaks),
            "tests": list(module.tests),
        }

    def _at(self, place):
        return next((each for each in self.modules.values() if each.place == place), None)

    def _violate(self, text):
        self.violations.append({"time_s": self.now_ns / 1e9, "what": text})

    def _fed(self, count):
        if count == 0:
            return
        if self._at("load_nest"):
            self._violate("a module was fed onto an occupied load nest")
        code = f"M{len(self.modules) + 1:06d}"
        self.modules[code] = Module(code, "load_nest")
        self.inputs["plc.blanks"] -= 1

    def _went(self, point):
        held = self._at(GRIPPER)
        if point < 0 and held and self._stands == "weld_nest" and self.outputs.get("plc.clamp"):
            self._violate(f"the arm pulled {held.code} out of the closed clamp")
        if point < 0 and self.outputs.get("laser.firing"):
            self._violate("the arm moved during a weld shot")
        self._stands = PLACES.get(point, "")

    def _gripped(self, holding):
        place = self._stands
        held = self._at(GRIPPER)
        if holding and not held:
            module = place in NESTS and self._at(place)
            if module:
                module.place = GRIPPER
        elif not holding and held:
            self._put_down(held, place)

    def _put_down(self, module, place):
        if place in NESTS and self._at(place):
            self._violate(f"{module.code} was put onto {self._at(place).code} in the {place}")
        if place == "weld_nest" and self.outputs.get("plc.clamp"):
            self._violate(f"{module.code} was put onto the closed clamp")
        if not place:
            self._violate(f"{module.code} was dropped")
        module.place = place or FLOOR

    def _closed(self, position):
        if position == 255:
            self._violate(f"the gripper closed on nothing at {self._stands or 'no place'}")

    def _shot(self, count):
        if count == 0:
            return
        module = self._at("weld_nest")
        point = self.outputs.get("robot.point", 0) - FIRST_WELD_POINT
        if module is None or point < 1:
            self._violate("the laser fired at no module" if module is None else "the laser fired off a weld point")
            return
        if not self.outputs.get("plc.clamp"):
            self._violate(f"{module.code} was welded in an open clamp")
        module.welds.append(point)
        module.peaks.append(self.outputs["laser.peak"])

    def _tested(self, count):
        if count == 0:
            return
        module = self._at("test_nest")
        if module is None:
            self._violate("the insulation was tested with no module in the nest")
            return
        module.tests.append(self.outputs["eol.resistance"])

    CONSEQUENCES: ClassVar = {
        "plc.feeds": _fed,
        "robot.point": _went,
        "grip.holding": _gripped,
        "grip.position": _closed,
        "laser.shots": _shot,
        "eol.tests": _tested,
    }


WORLD = Bm1World
