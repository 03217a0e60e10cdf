"""The arm of this cell: a Universal Robots controller that runs the site's program bm1.urp.

The program's registers: 128 point to go to, 129 token of the order, 130 point reached last, 131 token of the order done
last. An order that differs from the last one in point or token is carried out; while it is, 131 is 0.
"""

from cellctl_simulators import Outputs
from cellctl_simulators.models.universal_robots import UrArm

POINTS_MM = {
    0: (0, -300, 500),  # home
    1: (-450, -350, 180),  # load nest
    2: (0, -550, 180),  # weld nest
    3: (450, -350, 180),  # test nest
    4: (600, 0, 220),  # outfeed
    5: (-600, 0, 220),  # reject bin
    **{100 + n: (-150 + 25 * ((n - 1) % 12), -600 + 50 * ((n - 1) // 12), 240) for n in range(1, 97)},  # weld points
}
MOVE_NS = 500_000_000
WELD_STEP_NS = 120_000_000  # from one weld point to another
SAME_PLACE_NS = 8_000_000  # one cycle of the program


class Bm1Arm(UrArm):
    """The arm with its program. Output `point` is where it stands, -1 on the way."""

    def __init__(self, random):
        super().__init__(random)
        self._order = (0, 0)
        self._busy = False
        self._point = 0
        self._left_mm = self.pose
        self._started_ns = self._arrival_ns = self._last_ns = 0
        self._stopped = False

    def program(self, now_ns, inputs, *, stopped):
        """Carry out the order in the registers."""
        registers = self.wire.holding
        pause_ns = now_ns - self._last_ns if self._stopped else 0
        self._started_ns += pause_ns
        self._arrival_ns += pause_ns
        self._last_ns, self._stopped = now_ns, stopped
        order = (registers[128], registers[129])
        if order != self._order and order[0] in POINTS_MM:
            self._order = order
            registers[131] = 0
            self.moving = self.moving or order[0] != self._point
            self._left_mm, self._started_ns = self.pose, now_ns
            self._arrival_ns = now_ns + self._duration_ns(order[0])
            self._busy = True
        if not self._busy:
            return None
        self._travel(now_ns)
        if now_ns < self._arrival_ns:
            return None if stopped else self._arrival_ns
        self._busy = self.moving = False
        self._point, token = self._order
        registers[130], registers[131] = self._point, token
        return None

    def update(self, now_ns, inputs):
        """The controller's outputs, and where the arm stands."""
        result = super().update(now_ns, inputs)
        return Outputs({**result.outputs, "point": -1 if self.moving else self._point}, result.call_at_ns)

    def _duration_ns(self, target):
        if not self.moving:
            return SAME_PLACE_NS
        return WELD_STEP_NS if self._point > 100 and target > 100 else MOVE_NS

    def _travel(self, now_ns):
        duration_ns = self._arrival_ns - self._started_ns
        done = min(1.0, (now_ns - self._started_ns) / duration_ns)
        target = POINTS_MM[self._order[0]]
        self.pose = tuple(a + (b - a) * done for a, b in zip(self._left_mm, target, strict=True))


MODELS = {"bm1-robot": Bm1Arm}
