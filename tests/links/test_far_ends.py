"""The devices of the plant keep their own books: what was written is known, and what was forgotten is."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from cellctl.core.messages import Call, CommandClass, Done, Write
from cellctl.core.signal import Sample
from cellctl.faults import fault
from tests.links.campaign import in_virtual_time
from tests.links.plant import Plant
from tests.links.work import until


class Ears:
    """Hears what control would."""

    def __init__(self) -> None:
        self.done: dict[int, Done] = {}

    def seen(self, sample: Sample, now_ns: int) -> None:
        """Nothing is made of it."""

    def answered(self, done: Done, now_ns: int) -> None:
        self.done[done.id] = done


def on(*devices: str) -> Callable[[Callable[[Plant, Ears], Coroutine[Any, Any, None]]], Callable[[], None]]:
    """The test, given a plant with these devices alone, all of them connected."""

    def made(test: Callable[[Plant, Ears], Coroutine[Any, Any, None]]) -> Callable[[], None]:
        async def play() -> None:
            ears = Ears()
            async with Plant(ears, 0, devices) as plant:
                assert await until(lambda: all(map(plant.connected, devices)), 5.0)
                await test(plant, ears)

        def run() -> None:
            in_virtual_time(play)

        run.__name__, run.__doc__ = test.__name__, test.__doc__
        return run

    return made


def target(device: str, id: int, value: int, plant: Plant) -> Write:
    return Write(id, f"{device}.target", value, plant.now_ns + 10**9)


def shown(plant: Plant, device: str) -> object:
    return plant.image.read(f"{device}.target").value


@on("oven", "fan")
async def test_a_unit_that_starts_anew_has_forgotten_everything_though_its_line_goes_on(
    plant: Plant, ears: Ears
) -> None:
    plant.send(target("oven", 1, 77, plant))
    plant.send(target("fan", 2, 88, plant))
    assert await until(lambda: (shown(plant, "oven"), shown(plant, "fan")) == (77, 88), 2.0)
    number = await plant.suffer(fault("reboot", "oven"))
    await asyncio.sleep(0.05)
    await plant.heal(number)
    assert await until(lambda: shown(plant, "oven") == 0, 5.0)
    assert shown(plant, "fan") == 88
    assert plant.connected("fan")
    plant.send(target("oven", 3, 99, plant))
    assert await until(lambda: 3 in ears.done, 2.0)
    assert [entry[1:] for entry in plant.taken][-2:] == [("oven", "shows", 99), ("oven", "target", 99)]


@on("press")
async def test_what_is_late_does_not_arrive_after_its_connection(plant: Plant, ears: Ears) -> None:
    await plant.suffer(fault("delay", "press", by="2 s"))
    plant.send(target("press", 1, 77, plant))
    assert await until(lambda: 1 in ears.done, 2.0)
    await asyncio.sleep(5.0)
    assert not any(what == "target" for _, _, what, _ in plant.taken)


@on("robot")
async def test_what_is_written_twice_is_taken_twice(plant: Plant, ears: Ears) -> None:
    for id in (1, 2):
        plant.send(Call(id, "robot", "go", plant.now_ns + 10**9, {}, 7, CommandClass.PULSE))
        assert await until(lambda id=id: id in ears.done, 2.0)  # type: ignore[misc]
    assert [entry[1:] for entry in plant.taken if entry[2] == "go"] == [("robot", "go", 7)] * 2
