"""Codes of the file that says what to try."""

WHATIF: dict[str, tuple[str, str, str, str]] = {
    "E601": (
        "an unknown phase",
        "Only a phase that stands in the procedure of a recipe takes time for a part. Those that states and\n"
        "changeovers run are taken as they are.",
        "phases:\n  weld_busbar: {scale: 0.9}",
        "phases:\n  weld_busbars: {scale: 0.9}",
    ),
    "E602": (
        "a device that the cell has not",
        "Devices are named as in cell.yaml.",
        "devices:\n  lasr: {every: 2 h, lasts: 4 min}",
        "devices:\n  laser: {every: 2 h, lasts: 4 min}",
    ),
    "E603": (
        "an interlock that the cell has not",
        "Interlocks are named as in cell.yaml.",
        "interlocks:\n  in_feed: {every: 1 h, lasts: 3 min}",
        "interlocks:\n  infeed: {every: 1 h, lasts: 3 min}",
    ),
    "E604": (
        "a job for a recipe that the cell has not",
        "Recipes are named by their id. An abstract one cannot be made.",
        "jobs:\n  - {recipe: module-12}",
        "jobs:\n  - {recipe: module-12s}",
    ),
    "E605": (
        "a job without an end before another",
        "A job without a quantity goes on until the shift is over, so only the last one can be without.",
        "jobs:\n  - {recipe: module-12s}\n  - {recipe: module-8s, quantity: 100}",
        "jobs:\n  - {recipe: module-12s, quantity: 200}\n  - {recipe: module-8s, quantity: 100}",
    ),
    "E606": (
        "a failure that never happens",
        "'fault', 'scrap' and 'redo' say what happens when the phase fails. How often it does, 'fails' says.",
        "phases:\n  weld_busbars: {scrap: 20 %}",
        "phases:\n  weld_busbars: {fails: 1 %, scrap: 20 %}",
    ),
    "E607": (
        "a fault that the phase does not know",
        "A phase may end in the faults that it declares, and in those that any phase may meet.",
        "phases:\n  weld_busbars: {fails: 1 %, fault: weld_weak}",
        "phases:\n  weld_busbars: {fails: 1 %, fault: weak_weld}",
    ),
}
