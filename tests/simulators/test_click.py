"""AutomationDirect CLICK: the model against the address tables, and the profile against the model."""

import pytest

from cellctl_simulators.models.automationdirect import Click
from cellctl_simulators.wire import ModbusError

from .phase_trial import trial


def test_inputs_outputs_and_relays_stand_where_the_tables_say():
    plc = Click()
    plc.wire.write(15, 0x2000, [1, 0, 0, 0, 0, 1])
    plc.wire.write(5, 0x4000, [1])
    assert plc.update(0, {"x": 0b10000001}).outputs == {"y": 0b100001}
    assert plc.wire.read(2, 0, 8) == [1, 0, 0, 0, 0, 0, 0, 1]
    assert plc.wire.read(1, 0x4000, 2) == [1, 0]
    for first in (0xB000, 0xC000, 0xF000):
        assert plc.wire.read(2, first, 1) == [0]


def test_numbers_are_kept():
    plc = Click()
    for address in (0, 0x4000, 0x7000):
        plc.wire.write(16, address, [0x8000, 0x4366])
        assert plc.wire.read(3, address, 2) == [0x8000, 0x4366]


@pytest.mark.parametrize(("function", "address", "code"), [(2, 32, 2), (1, 0, 2), (3, 0x6000, 2), (4, 0, 1)])
def test_what_it_does_not_tell(function, address, code):
    with pytest.raises(ModbusError) as refusal:
        Click().wire.read(function, address, 1)
    assert refusal.value.code == code


@pytest.mark.parametrize(("function", "address"), [(5, 0), (5, 0x2006), (6, 0x9000)])
def test_what_it_does_not_take(function, address):
    with pytest.raises(ModbusError) as refusal:
        Click().wire.write(function, address, [1])
    assert refusal.value.code == 2


def test_a_program_answers_what_a_cell_writes(tmp_path):
    models = tmp_path / "cell" / "models"
    models.mkdir(parents=True)
    (models / "site.py").write_text(
        '"""A program that copies DS1, DD1 and DF1 to the next ones while C1 is on, and shows C1 at Y1."""\n\n'
        "from cellctl_simulators.models.automationdirect import Click\n\n\n"
        "class Copier(Click):\n"
        '    """The PLC with it."""\n\n'
        "    def program(self, now_ns):\n"
        "        registers, on = self.wire.holding, self.wire.coil[0x4000]\n"
        "        self.wire.coil[0x2000] = on\n"
        "        if on:\n"
        "            registers[1] = registers[0]\n"
        "            registers[0x4002], registers[0x4003] = registers[0x4000], registers[0x4001]\n"
        "            registers[0x7002], registers[0x7003] = registers[0x7000], registers[0x7001]\n\n\n"
        'MODELS = {"automationdirect.click": Copier}\n'
    )
    body = """
        await c.dev.ds1.set(-123)
        await c.dev.dd1.set(70000)
        await c.dev.df1.set(230.5)
        await c.dev.c1.on()
        await c.until("dev.y1 and dev.x2", timeout="2 s")
        await c.sleep("500 ms")
        c.record("ds2", c.dev.ds2.value)
        c.record("dd2", c.dev.dd2.value)
        c.record("df2", c.dev.df2.value)
    """
    told, outputs = trial(tmp_path, "automationdirect.click", "modbus://10.20.1.50:502?unit=1", body, {"x": 0b10})
    assert told == {"ds2": -123, "dd2": 70000, "df2": 230.5}
    assert outputs == {"y": 1}
