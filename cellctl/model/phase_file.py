"""A file of phases, compiled: code that can be handed to another process, and gives the same phases there.

The rule kept here: what was checked is what runs. The file is read once; no bytecode is left in the cell's folder.
"""

import marshal
import sys
import warnings
from dataclasses import dataclass
from types import ModuleType

from cellctl.core.phase import PhaseDefinition


@dataclass(frozen=True, slots=True)
class PhaseFile:
    """The name of the module, the path of its source, its compiled code as bytes of this Python."""

    module: str
    path: str
    code: bytes

    def definitions(self) -> dict[str, PhaseDefinition]:
        """Execute the definitions of the file, by name; raises whatever the file raises."""
        module = ModuleType(self.module)
        module.__file__ = self.path
        sys.modules[self.module] = module
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                exec(marshal.loads(self.code), module.__dict__)
        finally:
            del sys.modules[self.module]
        return {each.name: each for each in vars(module).values() if isinstance(each, PhaseDefinition)}
