"""Where device models come from: the entry points of installed packages, and the `models` folder of a cell.

A file of that folder names what it brings in `MODELS` (model name to factory) and, one of them, the cell's world in
`WORLD`. A cell's own model wins over an installed one of the same name.
"""

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from random import Random
from types import ModuleType

from cellctl_simulators.world import Model, ModelFactory, World, hint

ENTRY_POINTS = "cellctl.models"


@dataclass(frozen=True, slots=True)
class Catalog:
    """The models that a cell can use, and the world that they live in."""

    models: Mapping[str, ModelFactory]
    world: type[World] = World

    @classmethod
    def of(cls, folder: Path) -> "Catalog":
        """All installed models and those of the cell in `folder`; whatever a model file raises, it raises."""
        models: dict[str, ModelFactory] = {each.name: each.load() for each in entry_points(group=ENTRY_POINTS)}
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
        factory = self.models.get(name)
        if factory is None:
            raise ValueError(f"device {device!r}: there is no model {name!r}{hint(name, self.models)}")
        return factory(Random(seed))


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"cell_models_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
