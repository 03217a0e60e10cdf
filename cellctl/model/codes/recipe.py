"""Codes of recipes: E5xx and W5xx. Each is (title, meaning, wrong, right)."""

RECIPE: dict[str, tuple[str, str, str, str]] = {
    "E501": (
        "a recipe that cannot be extended",
        "'extends:' names a recipe that does not exist, or one that extends this one.",
        "extends: modul-base",
        "extends: module-base",
    ),
    "E502": (
        "two recipes with one id",
        "A job could not tell which of them is meant.",
        "recipes/a.yaml: recipe: {id: module-12s, ...}\nrecipes/b.yaml: recipe: {id: module-12s, ...}",
        "recipes/a.yaml: recipe: {id: module-12s, ...}\nrecipes/b.yaml: recipe: {id: module-8s, ...}",
    ),
    "E503": (
        "a recipe of another cell",
        "'cell:' says for which cell the recipe was made; it lies in the folder of another one.",
        "recipe: {id: module-12s, cell: bm2, ...}",
        "recipe: {id: module-12s, cell: bm1, ...}",
    ),
    "E504": (
        "a child with its own procedure",
        "A recipe that extends another changes values, never the order, so that both can be compared.",
        "recipe: {id: module-12s, extends: module-base, ...}\nprocedure: [...]",
        "recipe: {id: module-12s, extends: module-base, ...}\nparameters: {points: 24}",
    ),
    "E505": (
        "no procedure",
        "A recipe that can be made has a procedure, its own or that of the one that it extends.",
        'recipe: {id: module-12s, version: "7"}',
        'recipe: {id: module-12s, version: "7", extends: module-base}',
    ),
    "E506": (
        "not a step",
        "A step is a phase with its parameters, or parallel, with ... do, for_each ... do.",
        "procedure:\n  - load_module",
        "procedure:\n  - load_module: {}",
    ),
    "E507": (
        "an unknown phase",
        "No file in phases/ defines a phase of this name.",
        "- weld_bus_bars: {}",
        "- weld_busbars: {}",
    ),
    "E508": (
        "an unknown parameter of a phase",
        "The phase declares no parameter of this name.",
        "- weld_busbars: {pwer: 1450 W}",
        "- weld_busbars: {power: 1450 W}",
    ),
    "E509": (
        "a parameter is missing",
        "The phase declares a parameter without a default: the recipe must give its value.",
        "- hipot: {voltage: 500 V}",
        "- hipot: {voltage: 500 V, time: 2 s, min_resistance: 100 MOhm}",
    ),
    "E510": (
        "more than the equipment allows",
        "The bounds of the phase (and the range of the signal) are those of the equipment; a recipe stays inside them.",
        "weld_power: 1800 W          # the phase: 1200..1600 W",
        "weld_power: 1450 W",
    ),
    "E511": (
        "an unknown $name",
        "$name stands for a parameter of the recipe, or for the variable of a for_each around the step.",
        "- weld_busbars: {power: $weld_pwer}",
        "- weld_busbars: {power: $weld_power}",
    ),
    "E512": (
        "limits that are not inside one another, or a value outside them",
        "What the panel may change (tune) lies inside what the process allows (limits), and the value in both.",
        "weld_power: {value: 1450 W, limits: 1300..1550 W, tune: 1400..1600 W}\n"
        "weld_power: {value: 1600 W, limits: 1300..1550 W}",
        "weld_power: {value: 1450 W, limits: 1300..1550 W, tune: 1430..1470 W}",
    ),
    "E513": (
        "two steps with one id",
        "What a part has finished is remembered by the ids of its steps, so they differ among neighbours.",
        "- weld_busbars: {...}\n- weld_busbars: {...}",
        "- weld_busbars: {...}\n- weld_busbars: {...}\n  id: weld_again",
    ),
    "E514": (
        "an unknown fault",
        "The phase does not declare this fault, and it is none that any phase may meet (no_reply, timeout, ...).",
        "on_fault: {weakweld: ask}",
        "on_fault: {weak_weld: ask}",
    ),
    "E515": (
        "not a policy",
        "A policy is a reaction (ask, hold, stop, abort, skip, scrap), perhaps after some retries.",
        "on_fault: {weak_weld: try again}",
        "on_fault: {weak_weld: retry 1 then ask}",
    ),
    "E516": (
        "a recovery that the phase does not offer",
        "For the faults that it declares a phase says what can be done about them; a recipe chooses among that.",
        "on_fault: {low_resistance: skip}      # the phase: retry, scrap",
        "on_fault: {low_resistance: scrap}",
    ),
    "E517": (
        "a wrong 'when'",
        "'when' takes one true-or-false parameter of the recipe: the whole procedure is known before the part starts.",
        "when: plc.guard_closed",
        "when: $hipot_test",
    ),
    "E518": (
        "a target that cannot be written and read back",
        "'to:' names a signal that changeover writes the value to, and reads it back from: one with 'verify:'.",
        "points: {value: 24, to: plc.air_pressure}",
        "points: {value: 24, to: plc.recipe_points}",
    ),
    "E519": (
        "not a step of a changeover",
        "The steps are prepare, do, run, download and first_article; a person confirms by tick, scan or signal.",
        "- fit: Clamp plate F-12S",
        "- do: Fit clamp plate F-12S\n  confirm: scan F-12S",
    ),
    "E520": (
        "a wrong for_each",
        "for_each names one variable and its values: a list, or a whole-number parameter to count up to.",
        "- for_each: [1, 2]\n  do: [...]",
        "- for_each: {side: [1, 2]}\n  do: [...]",
    ),
    "E522": (
        "one parameter in two units",
        "A parameter has the unit of those who use it; these two want different ones.",
        "weld_power: {value: 1450 W, to: meter.power_kw}",
        "weld_power: 1450 W\nmeter_power: {value: 1.45 kW, to: meter.power_kw}",
    ),
    "E524": (
        "a decision that belongs to a person",
        "The phase says that only a person decides about this fault (human_only), or nobody knows whether a pulse was\n"
        "done (in_doubt): neither is retried without a person. For a doubt the recipe may say scrap, no more.",
        "on_fault: {in_doubt: retry 1 then ask}",
        "on_fault: {in_doubt: ask}",
    ),
    "W521": (
        "a parameter that nobody uses",
        "No step, 'when' or 'to' takes this parameter. In a recipe that extends another it is often misspelt.",
        "parameters: {weld_pwer: 1450 W}",
        "parameters: {weld_power: 1450 W}",
    ),
    "W523": (
        "a photo is missing",
        "The file is not in the cell's folder; the step would be shown without its picture.",
        "photo: img/f12.jpg",
        "photo: img/f12s.jpg",
    ),
}
