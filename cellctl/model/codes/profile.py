"""Codes of profiles: E3xx. Each is (title, meaning, wrong, right)."""

PROFILE: dict[str, tuple[str, str, str, str]] = {
    "E301": (
        "a profile that cannot be extended",
        "'extends:' names a profile that does not exist, or one that extends this one.",
        "profile: {id: bm1-robot, extends: universal-robot.ur, ...}",
        "profile: {id: bm1-robot, extends: universal-robots.ur, ...}",
    ),
    "E302": (
        "two profiles with one id",
        "A device could not tell which of them is meant.",
        "profiles/a.yaml: profile: {id: oven, ...}\nprofiles/b.yaml: profile: {id: oven, ...}",
        "profiles/a.yaml: profile: {id: oven, ...}\nprofiles/b.yaml: profile: {id: oven-2, ...}",
    ),
    "E303": (
        "no driver for the protocol",
        "No installed package brings a driver for this protocol, or it cannot be used, as without its library.",
        "protocol: modbuss",
        "protocol: modbus",
    ),
    "E304": (
        "a signal without an address",
        "A signal is read, written, or both; one that a device tells unasked is heard.",
        "temp: {type: float, unit: degC}",
        "temp: {type: float, unit: degC, read: input 1 int16}",
    ),
    "E305": (
        "a key that does not fit the type",
        "Only numbers have a unit, a range, a scale; only true/false signals have edges that can be latched.",
        "door: {type: bool, unit: mm, read: coil 4}",
        "door: {type: bool, read: coil 4}",
    ),
    "E306": (
        "a value outside the range",
        "The safe value, or the default, is not one that the row itself allows.",
        "power: {type: float, range: 0..100, safe: 200, write: ...}",
        "power: {type: float, range: 0..100, safe: 0, write: ...}",
    ),
    "E307": (
        "a write key at a signal that is not written",
        "'safe' is written and 'verify' is written and read back: the signal needs both addresses.",
        "door: {type: bool, read: coil 4, safe: false}",
        "door: {type: bool, read: coil 4, write: coil 4, safe: false}",
    ),
    "E308": (
        "a row that the driver cannot use",
        "The protocol's own keys and addresses are checked by its driver, without any connection.",
        "temp: {type: float, read: inputt 1 int16}",
        "temp: {type: float, read: input 1 int16}",
    ),
    "E309": (
        "a toggle",
        "After a toggle that got no answer nobody knows the state, and repeating it does harm. Say what shall be.",
        "light: {write: {coil 3: true}, class: toggle, timeout: 1 s}",
        "light_on: {write: {coil 3: true}, class: level, timeout: 1 s}",
    ),
    "E310": (
        "one name for a signal and a command",
        "A phase says c.laser.power for both: it must be one thing.",
        "signals: {off: {...}}\ncommands: {off: {...}}",
        "signals: {is_off: {...}}\ncommands: {off: {...}}",
    ),
    "E311": (
        "a safe command that is no stop",
        "A safe command is sent by the cell itself on hold, stop and abort: it is of class stop and needs no values.",
        "home: {send: HOME, class: level, timeout: 1 s, safe: true}",
        "off: {send: OFF, class: stop, timeout: 1 s, safe: true}",
    ),
    "E312": (
        "an unknown $name in a command",
        "In conditions of a command, $token is the number of this execution, other $names are its parameters. In\n"
        "'probe', 'running' and 'unsent' $name may also be a signal: what that was when the command was sent.",
        'until: "done == $tokn"',
        'until: "done == $token"',
    ),
    "E313": (
        "a result that is no signal",
        "'result' names signals of the same profile that are read when the command is done.",
        "result: {peak: last_peek}",
        "result: {peak: last_peak}",
    ),
    "E314": (
        "a choice without a value",
        "Each choice has the value that is sent for it; a series counts name and value up together.",
        "choices: {home: }",
        "choices: {home: 0, weld_1..96: 101}",
    ),
    "E315": (
        "an unknown model",
        "'sim' names a simulator model that no installed package brings and no file of the cell's models/ has in\n"
        "MODELS.",
        "sim: {model: robotiq.2f58}",
        "sim: {model: robotiq.2f85}",
    ),
    "E316": (
        "a golden vector that does not hold",
        "'golden' says what stands on the wire and what it means, or for what it is sent, as the manual gives it. The\n"
        "rows of the profile say otherwise.",
        'u: {type: float, unit: V, read: input 0 uint16}\ngolden:\n  - {wire: "input 0: 4366 8000", is: {u: 230.5}}',
        'u: {type: float, unit: V, read: input 0 float32}\ngolden:\n  - {wire: "input 0: 4366 8000", is: {u: 230.5}}',
    ),
    "E318": (
        "a command that cannot be resumed",
        "After a lost connection 'probe' tells that the command was done, 'running' that it goes on, 'unsent' that it\n"
        "never arrived. 'running' and 'unsent' need 'probe'; what goes on is waited for by 'until'.",
        'running: "seen == $token and busy"',
        'until: "done == $token"\nprobe: "done == $token"\nrunning: "seen == $token and busy"',
    ),
    "E319": (
        "a lease that cannot be tested",
        "'lease' says what the device does by itself when its watchdog stops. It needs a watchdog; 'reset' names a\n"
        "command of the profile that needs no values.",
        "lease: {tripped: comm_trip, within: 1 s, reset: rest}",
        "watchdog: {write: holding 9 uint16, every: 250 ms}\nlease: {tripped: comm_trip, within: 1 s, reset: rearm}",
    ),
    "W317": (
        "a connection without encryption",
        "Whoever is in the network can read and change what goes to and fro, passwords too. Devices that cannot\n"
        "encrypt belong into a network of their own. Simulated devices go without by themselves.",
        "opcua: {namespace: urn:maker:press, security: none}",
        "opcua: {namespace: urn:maker:press}",
    ),
    "W318": (
        "a device that is not asked what it is",
        "Without 'identify' whatever answers at the address is taken for this device, and is written to: that two\n"
        "cables or two unit numbers were exchanged shows only in what the machine does. Say what the device must\n"
        "answer, as its manual gives it. One that cannot say what it is has 'identify: none'.",
        "profile: {id: example-press, version: 1, protocol: modbus}",
        "profile: {id: example-press, version: 1, protocol: modbus}\n"
        'identify: {read: "holding 200 uint16", expect: 0x0507}',
    ),
}
