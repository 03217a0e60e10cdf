"""What the controller believes, against what is true in the world. Where devices lie no controller can know."""

from cellctl.gateway.parts import Parts
from cellctl.testing.bench import Bench
from cellctl.testing.worlds.checks import Check


class Violations(Check):
    """Nothing happens in the world that should not: two parts in one place, a shot at nothing, a part dropped."""

    async def look(self, bench: Bench) -> None:
        """Ask the world."""
        if not self.plan.lying:
            violations = bench.simulation.truth().get("violations", [])
            assert isinstance(violations, list)
            for violation in violations[len(self.found) :]:
                self.find(f"{violation}")

    async def end(self, bench: Bench) -> None:
        """Once more."""
        await self.look(bench)


class Counts(Check):
    """What the records of finished parts say is so in the world."""

    async def end(self, bench: Bench) -> None:
        """Let the world compare."""
        if self.plan.lying:
            return
        bench.flush()
        bench.simulation.settle()
        for what in bench.simulation.world.compare(Parts(bench.setup.folder).latest(10_000)[::-1]):
            self.find(what)
