"""The PLC of this cell, from interface sheet 3 of program BM1.

It puts a module on the load nest once for every new, non-zero `Load.FeedToken`, as soon as the nest is free and the
magazine has one; then it reads the module's code and answers with the token in `Load.FeedDone`.
"""

from cellctl_simulators import Node, Nodes, Outputs

FEED_NS = 800_000_000


class Bm1Plc:
    """Inputs: the sensors, and the code that the scanner would read. Outputs: `feeds` (count), `clamp`, `power`."""

    def __init__(self, random):
        self.inputs = {
            "guard_closed": True,
            "air_pressure": 6.1,  # bar
            "magazine_ready": True,  # its door is closed
            "blanks": 10_000,  # modules in the magazine
            "load_occupied": False,
            "weld_occupied": False,
            "test_occupied": False,
            "load_code": "",  # what lies on the load nest
        }
        self.wire = Nodes(
            "urn:site:bm1:plc",
            {
                "Cell.GuardClosed": Node("Boolean", True),
                "Cell.AirPressure": Node("Double", 6.1),
                "Cell.MagazineReady": Node("Boolean", True),
                "Load.Occupied": Node("Boolean", False),
                "Load.ModuleCode": Node("String", ""),
                "Load.FeedToken": Node("UInt16", 0, writable=True),
                "Load.FeedDone": Node("UInt16", 0),
                "Weld.Occupied": Node("Boolean", False),
                "Weld.Clamp": Node("Boolean", False, writable=True),
                "Test.Occupied": Node("Boolean", False),
                "Recipe.Points": Node("Int16", 0, writable=True),
                "Recipe.Id": Node("String", "", writable=True),
            },
        )
        self._feeds = 0
        self._feed_end_ns = None
        self._token = 0  # of the feed that runs

    def update(self, now_ns, inputs):
        """Read the sensors and run the feeder."""
        wire = self.wire
        ready = inputs["magazine_ready"] and inputs["blanks"] > 0
        call_at_ns = self._feed(now_ns, ready and not inputs["load_occupied"])
        wire["Cell.GuardClosed"] = inputs["guard_closed"]
        wire["Cell.AirPressure"] = inputs["air_pressure"]
        wire["Cell.MagazineReady"] = ready
        wire["Load.Occupied"] = inputs["load_occupied"]
        wire["Load.ModuleCode"] = inputs["load_code"]
        wire["Weld.Occupied"] = inputs["weld_occupied"]
        wire["Test.Occupied"] = inputs["test_occupied"]
        if self._feed_end_ns is None and self._token and inputs["load_occupied"]:
            wire["Load.FeedDone"], self._token = self._token, 0
        power = 90.0 if call_at_ns else 45.0
        return Outputs({"feeds": self._feeds, "clamp": wire["Weld.Clamp"], "power": power}, call_at_ns)

    def _feed(self, now_ns, possible):
        token = self.wire["Load.FeedToken"]
        if self._feed_end_ns is None and not self._token and possible and token not in (0, self.wire["Load.FeedDone"]):
            self._token, self._feed_end_ns = token, now_ns + FEED_NS
        if self._feed_end_ns is not None and now_ns >= self._feed_end_ns:
            self._feed_end_ns = None
            self._feeds += 1
        return self._feed_end_ns


MODELS = {"bm1-plc": Bm1Plc}
