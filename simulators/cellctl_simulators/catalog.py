"""Where device models come from: installed packages, and the `models` folder of a cell.

A file of models names what it brings in `MODELS` (model name to factory) and, in a cell, one of them the cell's world
in `WORLD`. An installed package (entry point `cellctl.models`) has a file for each vendor: `robotiq.2f85` stands in its
module `robotiq`, which is imported when somebody asks for it. A cell's own model wins over an installed one.
"""

import importlib
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from random import Random
from types import ModuleType

from cellctl_simulators.world import Model, ModelFactory, World, hint

ENTRY_POINTS = "cellctl.models"


@dataclass(frozen=True, slots=True)
class Catalog:
    """The models of a cell, and the world that they live in."""

    models: dict[str, ModelFactory]
    world: type[World] = World

    @classmethod
    def of(cls, folder: Path) -> "Catalog":
        """Those of the cell in `folder`; whatever a model file raises, it raises."""
        models: dict[str, ModelFactory] = {}
        world = World
        for path in sorted((folder / "models").glob("*.py")):
            module = _load(path)
            models |= getattr(module, "MODELS", {})
            world = getattr(module, "WORLD", world)
        return cls(models, world)

    def build(self, names: Mapping[str, str], *, seed: int, speed: float) -> World:
        """The world with a model for each device (device id to model name); ValueError with a hint."""
        models = {device: self.model(device, name, f"{seed}/{device}") for device, name in names.items()}
        return self.world(models, speed=speed)

    def model(self, device: str, name: str, seed: str) -> Model:
        """The model `name` for a device; ValueError with a hint."""
        models = _of_vendor(name.partition(".")[0]) | self.models
        if name not in models:
            raise ValueError(f"device {device!r}: there is no model {name!r}{hint(name, models)}")
        return models[name](Random(seed))


@cache
def _of_vendor(vendor: str) -> dict[str, ModelFactory]:
    """The models that installed packages bring of a vendor."""
    name = vendor.replace("-", "_")
    found: dict[str, ModelFactory] = {}
    for point in entry_points(group=ENTRY_POINTS) if name.isidentifier() else ():
        if importlib.util.find_spec(f"{point.value}.{name}") is not None:
            found |= importlib.import_module(f"{point.value}.{name}").MODELS
    return found


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"cell_models_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
