"""Codes of cell.yaml: E2xx. Each is (title, meaning, wrong, right)."""

CELL: dict[str, tuple[str, str, str, str]] = {
    "E201": (
        "no such cell",
        "A cell is a folder with a cell.yaml in it, or the name of a cell that comes with cellctl.",
        "cellctl check batery-module",
        "cellctl check battery-module",
    ),
    "E202": (
        "an unknown profile",
        "The device names a profile that is neither in profiles/ nor among those of the installed packages.",
        "grip: {profile: robotiq.2f58, at: ...}",
        "grip: {profile: robotiq.2f85, at: ...}",
    ),
    "E203": (
        "a wrong address",
        "The driver of this protocol cannot use what stands in 'at:'.",
        'laser: {profile: lx2-laser, at: "/dev/ttyUSB0"}',
        'laser: {profile: lx2-laser, at: "serial:/dev/serial/by-id/usb-LX2_0042?baud=115200"}',
    ),
    "E204": (
        "an unknown device",
        "The station names a device that does not stand in 'devices:'.",
        "weld: {uses: [robot, lasser]}",
        "weld: {uses: [robot, laser]}",
    ),
    "E205": (
        "an unknown phase in a state",
        "The state names a phase that no file in phases/ defines.",
        "states:\n  resetting: [home]",
        "states:\n  resetting: [home_all]",
    ),
    "E206": (
        "not an acting state",
        "Only states in which the machine acts (resetting, starting, holding, aborting, ...) can run phases; in the\n"
        "others it waits, and in Execute it follows the recipe.",
        "states:\n  stopped: [all_safe]",
        "states:\n  stopping: [all_safe]",
    ),
    "E207": (
        "a phase that a state cannot run",
        "A state has no part and no recipe: its phases claim no station and need no values.",
        "states:\n  resetting: [weld_busbars]",
        "states:\n  resetting: [home_all]",
    ),
    "E208": (
        "a wrong mode",
        "Modes leave states out, but never Stopped, Idle, Execute or Aborted, and no wait state that is still needed.",
        "modes:\n  manual: {disabled: [stopped]}",
        "modes:\n  manual: {disabled: [holding, held, unholding]}",
    ),
    "E209": (
        "no energy signal",
        "Energy is counted by one number of one device.",
        "energy: {meter: meter.energy}",
        "energy: {meter: meter.import_energy}",
    ),
    "E210": (
        "not the name of a secret",
        "The name of a secret is the name of its file: letters, digits, '_', '-' and '.'.",
        "password: !secret ../plc",
        "password: !secret plc_password",
    ),
    "E211": (
        "a secret is missing",
        "The secret is neither among the credentials of the service nor in secrets/ of the state folder.",
        "password: !secret plc_password        (no such file)",
        "install -m 600 /dev/stdin STATE/secrets/plc_password",
    ),
    "E212": (
        "a secret that others can read",
        "The file of a secret belongs to its owner alone.",
        "-rw-r--r-- secrets/plc_password",
        "-rw------- secrets/plc_password",
    ),
    "E213": (
        "an unknown time zone",
        "Times are shown in the zone of the cell, by its name in the time zone database.",
        "timezone: London",
        "timezone: Europe/London",
    ),
    "E214": (
        "two devices in one place",
        "Two devices have one serial port without being units of one modbus+rtu bus with one speed and parity, or one\n"
        "host and port and two protocols.",
        'grip:  {profile: robotiq.2f85, at: "modbus+rtu:/dev/ttyUSB0?unit=9"}\n'
        'laser: {profile: lx2-laser,    at: "serial:/dev/ttyUSB0"}',
        'grip:  {profile: robotiq.2f85, at: "modbus+rtu:/dev/ttyUSB0?unit=9"}\n'
        'laser: {profile: lx2-laser,    at: "serial:/dev/ttyUSB1"}',
    ),
}
