"""The inputs and outputs of a Universal Robots controller, driven by its profile."""

from .phase_trial import trial


def test_outputs_are_set_and_cleared_one_by_one(tmp_path):
    body = """
        c.record("inputs", f"{c.dev.input_0.value} {c.dev.input_1.value} {c.dev.tool_input_1.value}")
        await c.dev.output_3.on()
        await c.dev.output_7.on()
        await c.dev.output_3.off()
        await c.until("dev.output_7 and not dev.output_3", timeout="1 s")
        await c.dev.register_130.set(513)
        c.record("outputs", f"{c.dev.output_3.value} {c.dev.output_7.value}")
        await c.until("dev.register_130 == 513", timeout="1 s")
    """
    told, _ = trial(tmp_path, "universal-robots.ur-io", "modbus://10.0.0.1:502", body, {"digital_in": 0x201})
    assert told == {"inputs": "True False True", "outputs": "False True"}
