"""The world of this cell: where every module really is, what was done to it, and what should not have happened."""

from dataclasses import dataclass, field
from typing import ClassVar

from cellctl_simulators import World

PLACES = {1: "load_nest", 2: "weld_nest", 3: "test_nest", 4: "outfeed", 5: "reject_bin"}  # by point of the arm
NESTS = {f"{name}_nest": f"plc.{name}_occupied" for name in ("load", "weld", "test")}  # each with its sensor
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
        self._inside = {}  # the module in each nest and in the gripper
        self._powers = {}  # what each device takes, in W
        self._emptied = False  # a person took out what the gripper held

    def connect(self):
        """Sensors see modules, the gripper feels them, the meter counts what everything takes."""
        inside = self._inside
        for nest, sensor in NESTS.items():
            self.inputs[sensor] = nest in inside
        self.inputs["plc.load_code"] = inside["load_nest"].code if "load_nest" in inside else ""
        self.inputs["eol.module"] = "test_nest" in inside
        within_reach = GRIPPER in inside or (self._stands in NESTS and self._stands in inside)
        self.inputs["grip.object"] = MODULE_WIDTH if within_reach else 0
        self.inputs["meter.power"] = CABINET_W + sum(self._powers.values())

    def changed(self, name, value):
        """Draw the consequence of what a device did."""
        if name.endswith(".power"):
            self._powers[name] = value
        consequence = self.CONSEQUENCES.get(name)
        if consequence:
            consequence(self, value)

    def welds(self, part):
        """The points of a module that were welded, in order; `part` is its code, or part-1 for the first one."""
        if part not in self.modules and part.startswith("part-"):
            part = f"M{int(part.removeprefix('part-')):06d}"
        return list(self.modules[part].welds)

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

    def energised(self):
        """The laser that is on, and the tester that has voltage on its probes."""
        outputs = self.outputs
        return [f"{name} is on" for name, on in (("laser", "laser.on"), ("eol", "eol.running")) if outputs.get(on)]

    def compare(self, parts):
        """Each recorded part against the module of its code: where it went, and what was measured of it."""
        wrong = []
        for part in parts:
            values = {"code": [], "peak": [], "resistance": []}
            for record in part["records"]:
                values[record["name"]].append(record["value"])
            serial, codes = part["serial"], values["code"]
            module = self.modules.get(codes[-1]) if codes else None
            if module is None:
                wrong += [] if part["result"] == "scrap" and not codes else [f"{serial} has the codes {codes}"]
                continue
            bin_name = {"good": "good", "scrap": "reject"}[part["result"]]
            for what, told, true in (
                ("bin", bin_name, BINS.get(module.place, module.place)),
                ("peaks", values["peak"], module.peaks),
                ("last resistance", values["resistance"][-1:], module.tests[-1:]),  # it may be measured again
            ):
                if told != true:
                    wrong.append(f"{serial} ({module.code}): the {what} on record are {told}, in truth {true}")
        return wrong

    def tidy(self):
        """A person takes the modules out of nests and gripper."""
        self._emptied = GRIPPER in self._inside
        for module in tuple(self._inside.values()):
            self._move(module, "taken out")
        self.connect()

    def _told(self, module):
        bin_name = BINS.get(module.place)
        return {
            "place": module.place,
            "bin": bin_name,
            "welds": list(module.welds),
            "peaks": list(module.peaks),
            "tests": list(module.tests),
        }

    def _move(self, module, place):
        if self._inside.get(module.place) is module:
            del self._inside[module.place]
        module.place = place
        if place in NESTS or place == GRIPPER:
            self._inside[place] = module

    def _violate(self, text):
        self.violations.append({"time_s": self.now_ns / 1e9, "what": text})

    def _fed(self, count):
        if count == 0:
            return
        if "load_nest" in self._inside:
            self._violate("a module was fed onto an occupied load nest")
        code = f"M{len(self.modules) + 1:06d}"
        self.modules[code] = Module(code, "magazine")
        self._move(self.modules[code], "load_nest")
        self.inputs["plc.blanks"] -= 1

    def _went(self, point):
        held = self._inside.get(GRIPPER)
        if point < 0 and held and self._stands == "weld_nest" and self.outputs.get("plc.clamp"):
            self._violate(f"the arm pulled {held.code} out of the closed clamp")
        if point < 0 and self.outputs.get("laser.firing"):
            self._violate("the arm moved during a weld shot")
        self._stands = PLACES.get(point, "")

    def _gripped(self, holding):
        place = self._stands
        held = self._inside.get(GRIPPER)
        if holding and not held:
            if place in NESTS and place in self._inside:
                self._move(self._inside[place], GRIPPER)
        elif not holding and held:
            self._put_down(held, place)

    def _put_down(self, module, place):
        if place in NESTS and place in self._inside:
            self._violate(f"{module.code} was put onto {self._inside[place].code} in the {place}")
        if place == "weld_nest" and self.outputs.get("plc.clamp"):
            self._violate(f"{module.code} was put onto the closed clamp")
        if not place:
            self._violate(f"{module.code} was dropped")
        self._move(module, place or FLOOR)

    def _closed(self, position):
        emptied, self._emptied = self._emptied, False
        if position == 255 and not emptied:
            self._violate(f"the gripper closed on nothing at {self._stands or 'no place'}")

    def _shot(self, count):
        if count == 0:
            return
        module = self._inside.get("weld_nest")
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
        module = self._inside.get("test_nest")
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
