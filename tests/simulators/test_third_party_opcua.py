"""A simulated OPC UA device under clients that are not ours: node-opcua and python-opcua."""

import asyncio
import json
import sys

import pytest

from cellctl_simulators.simulation import Pace, Simulation
from tests.peers import javascript, said

URI = "urn:site:bm1:plc"
#: What is asked, and what is answered: status, type and value of a read, the status of a write, the value waited for.
CONVERSATION = (
    ("read Cell.GuardClosed", ["Good", "Boolean", True]),
    ("read Cell.AirPressure", ["Good", "Double", 6.1]),
    ("read Recipe.Points", ["Good", "Int16", 0]),
    ("read Load.ModuleCode", ["Good", "String", ""]),
    ("read Nowhere", ["BadNodeIdUnknown", "Null", None]),
    ("write Recipe.Points Int16 24", "Good"),
    ("read Recipe.Points", ["Good", "Int16", 24]),
    ('write Recipe.Id String "module-12s"', "Good"),
    ("write Weld.Clamp Boolean true", "Good"),
    ("write Load.FeedDone UInt16 3", "BadUserAccessDenied"),
    ("write Recipe.Points Double 24.5", "BadTypeMismatch"),
    ("write Load.FeedToken UInt16 7", "Good"),
    ("until Load.FeedDone 7", 7),
)
PYTHON_OPCUA = """
import json, logging, queue, sys
logging.disable()
from opcua import Client, ua
client = Client(sys.argv[1])
client.connect()
index = client.get_namespace_index(sys.argv[2])
node = lambda name: client.get_node(ua.NodeId(name, index))

def read(name):
    try:
        data = node(name).get_data_value()
    except ua.UaStatusCodeError as refusal:
        return [type(refusal).__name__, "Null", None]
    return [data.StatusCode.name, data.Value.VariantType.name, data.Value.Value]

def write(name, kind, text):
    data = ua.DataValue(ua.Variant(json.loads(text), ua.VariantType[kind]))
    try:
        node(name).set_data_value(data)
    except ua.UaStatusCodeError as refusal:
        return type(refusal).__name__
    return "Good"

class Told(queue.Queue):
    def datachange_notification(self, node, value, data):
        self.put(value)

def until(name, text):
    told = Told()
    subscription = client.create_subscription(50, told)
    subscription.subscribe_data_change(node(name))
    while (value := told.get(timeout=10)) != json.loads(text):
        pass
    subscription.delete()
    return value

for line in sys.stdin:
    name, *words = line.split()
    print(json.dumps({"read": read, "write": write, "until": until}[name](*words)))
client.disconnect()
"""


def argv(client, folder, at):
    """The command of a client that answers each line of its input."""
    if client == "node-opcua":
        return javascript("opcua_client.mjs", client, folder, at, URI)
    return [sys.executable, "-W", "ignore", "-c", PYTHON_OPCUA, at, URI]


@pytest.mark.parametrize("client", ["node-opcua", "python-opcua"])
async def test_the_plc_under_each_client(client, cell, devices, tmp_path):
    async with Simulation(cell, devices, serve=("plc",), pace=Pace(1.0)) as simulation:
        command = argv(client, tmp_path / "pki", simulation.addresses["plc"])
        lines = "\n".join(line for line, _ in CONVERSATION)
        answers = (await asyncio.to_thread(said, command, lines)).splitlines()
        wire = simulation.world.models["plc"].wire
        assert (wire["Recipe.Id"], wire["Weld.Clamp"], wire["Load.Occupied"]) == ("module-12s", True, True)
    told = [(line, json.loads(answer)) for (line, _), answer in zip(CONVERSATION, answers, strict=True)]
    assert told == list(CONVERSATION)
