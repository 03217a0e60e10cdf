"""The cable of a device: what becomes of the bytes that pass, fault by fault."""

import asyncio
from random import Random

import pytest

from cellctl.faults import fault
from cellctl.testing.virtual import VirtualLoop
from cellctl_simulators.faults.cable import CUT_S, TO_CLIENT, TO_DEVICE, Cable, Strand


def passed(scenes, **options):
    """What comes through the strands of one cable while `scenes`, a coroutine function, uses them."""

    async def play():
        cuts, heard = [], {TO_DEVICE: [], TO_CLIENT: []}
        loop = asyncio.get_running_loop()
        cable = Cable(Random(7), lambda: cuts.append(loop.time()))
        strands = {way: Strand(cable, way, heard[way].append) for way in heard}
        begun_s = loop.time()
        await scenes(cable, strands[TO_DEVICE].send, strands[TO_CLIENT].send, **options)
        await asyncio.sleep(1.0)
        cable.close()
        return b"|".join(heard[TO_DEVICE]), b"|".join(heard[TO_CLIENT]), [at_s - begun_s for at_s in cuts]

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(play())


async def exchange(cable, ask, answer, *faults):
    for each in faults:
        cable.suffer(each)
    for number in (b"1", b"2"):
        ask(b"ask" + number)
        await asyncio.sleep(0.001)
        answer(b"answer" + number)
        await asyncio.sleep(0.001)


def exchanged(*faults):
    async def scenes(cable, ask, answer):
        await exchange(cable, ask, answer, *faults)

    return passed(scenes)


def test_without_a_fault_it_is_not_there():
    assert exchanged() == (b"ask1|ask2", b"answer1|answer2", [])


@pytest.mark.parametrize(
    ("options", "asked", "answered"),
    [
        ({"after": 0}, b"", b""),
        ({"after": 2}, b"as", b""),
        ({"after": 4}, b"ask1", b""),
        ({"after": 5}, b"ask1", b"a"),
        ({"after": 5, "way": "requests"}, b"ask1|a", b"answer1"),
        ({"after": 0, "way": "answers"}, b"ask1", b""),
        ({"after": 7, "way": "answers"}, b"ask1", b"answer1"),
        ({"after": 9, "way": "answers"}, b"ask1|ask2", b"answer1|an"),
    ],
)
@pytest.mark.parametrize("kind", ["cut", "hang"])
def test_nothing_passes_after_so_many_bytes(kind, options, asked, answered):
    told = exchanged(fault(kind, "laser", **options))
    assert told[:2] == (asked, answered)
    assert len(told[2]) == (kind == "cut")


def test_a_cut_comes_when_the_last_bytes_have_arrived_and_only_once():
    async def scenes(cable, ask, answer):
        cable.suffer(fault("cut", "laser", after=2))
        ask(b"ask1")
        assert cable.ill
        await asyncio.sleep(CUT_S + 0.001)
        assert not cable.ill
        ask(b"ask2")

    assert passed(scenes) == (b"as|ask2", b"", [pytest.approx(CUT_S)])


def test_what_hangs_goes_on_when_the_fault_has_ended():
    async def scenes(cable, ask, answer):
        hangs = fault("hang", "laser", after=1)
        await exchange(cable, ask, answer, hangs)
        cable.heal(hangs)
        ask(b"ask3")

    assert passed(scenes)[0] == b"a|ask3"


@pytest.mark.parametrize(
    ("place", "answered"),
    [
        ("before", b"\x83\x02|answer1|\x83\x02|answer2"),
        ("instead", b"\x83\x02|\x83\x02"),
        ("after", b"answer1|\x83\x02|answer2|\x83\x02"),
    ],
)
def test_garbage_comes_where_it_is_to_come(place, answered):
    given = fault("garbage", "laser", share=1.0, way="answers", bytes="83 02", place=place)
    assert exchanged(given)[:2] == (b"ask1|ask2", answered)


def test_garbage_that_is_not_given_is_any():
    before, asked, between, again = exchanged(fault("garbage", "laser", share=1.0, way="requests"))[0].split(b"|")
    assert (asked, again) == (b"ask1", b"ask2")
    assert before != between


@pytest.mark.parametrize("kind", ["loss", "duplicate", "truncate", "corrupt"])
@pytest.mark.parametrize("way", ["requests", "answers"])
def test_what_happens_to_one_way_does_not_happen_to_the_other(kind, way):
    asked, answered, _ = exchanged(fault(kind, "laser", share=1.0, way=way))
    assert (asked == b"ask1|ask2") == (way == "answers")
    assert (answered == b"answer1|answer2") == (way == "requests")


def test_a_corrupt_chunk_is_so_within_its_first_bytes():
    answers = exchanged(fault("corrupt", "laser", share=1.0, way="answers", first=2))[1].split(b"|")
    for number, answer in enumerate(answers, 1):
        assert answer[2:] == b"swer%d" % number
        assert answer[:2] != b"an"


def test_a_flood_comes_by_itself_until_it_ends():
    async def scenes(cable, ask, answer):
        floods = fault("flood", "laser", rate=1000)
        cable.suffer(floods)
        await asyncio.sleep(0.5)
        cable.heal(floods)

    asked, answered, _ = passed(scenes)
    assert asked == b""
    assert 480 <= len(answered.replace(b"|", b"")) + answered.count(b"|") <= 560


def test_what_is_late_does_not_arrive_on_a_connection_that_is_gone():
    async def play():
        heard = []
        cable = Cable(Random(1))
        strand = Strand(cable, TO_DEVICE, heard.append)
        cable.suffer(fault("delay", "laser", by="1 s"))
        strand.send(b"late")
        strand.cut()
        strand.send(b"later")
        await asyncio.sleep(2)
        return heard

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        assert runner.run(play()) == []
