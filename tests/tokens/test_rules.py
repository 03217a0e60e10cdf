"""The rules of the token block, held against the simulated device and against both texts that are given to programmers.

The texts are interpreted here. They were never run by a PLC or a robot.
"""

import re
from pathlib import Path
from random import Random

import pytest

from cellctl_simulators.models.cellctl import DONE_TOKEN, ECHO, HEARTBEAT, TOKEN
from cellctl_simulators.token_block import OPEN, RESET, Frame
from tests.tokens.blocks import BLOCKS, Bench, StructuredText
from tests.tokens.rules import EPOCH, RULES, frame, ready
from tests.tokens.structured_text import Run, units

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("block", BLOCKS)
def test_the_rule(block: str, name: str) -> None:
    bench, rule = Bench(BLOCKS[block]()), RULES[name]
    ready(bench)
    assert (bench.told, bench.block.started) == ((EPOCH, 0, 100, 100, 1), [100])
    rule.before(bench)
    bench.block.started.clear() if block != "model" else None
    before, started = bench.told, list(bench.block.started)
    assert rule.sent is not None
    bench.send(rule.sent)
    assert bench.block.words[TOKEN] == 0, "the frame was not taken out of its place"
    _, state, seen, *_ = bench.told
    assert (state >> 8, bool(state & 2)) == (rule.refused, rule.tripped)
    assert bench.block.started[len(started) :] == ([rule.sent.token] if rule.begins else [])
    assert seen == (rule.sent.token if rule.begins else before[2])


@pytest.mark.parametrize("block", BLOCKS)
def test_work_that_is_stopped_by_a_trip_is_told_so(block: str) -> None:
    bench = Bench(BLOCKS[block]())
    ready(bench)
    bench.send(frame(101, param=5_000))
    bench.alive = False
    bench.lasts(1_100)
    assert bench.told == (EPOCH, 2, 101, 101, 3)


@pytest.mark.parametrize("block", BLOCKS)
def test_it_trips_in_time_and_not_before(block: str) -> None:
    bench = Bench(BLOCKS[block]())
    ready(bench)
    bench.beat()
    bench.block.cycle()
    bench.alive = False
    bench.lasts(980)
    assert bench.told[1] == 0
    bench.lasts(30)
    assert bench.told[1] == 2


@pytest.mark.parametrize("block", BLOCKS)
def test_what_was_interrupted_by_a_loss_of_power_is_told_as_neither_done_nor_busy(block: str) -> None:
    bench = Bench(BLOCKS[block]())
    ready(bench)
    bench.send(frame(101, param=5_000))
    bench.block.power_cycle(keeps=True)
    bench.lasts(50)
    _, state, seen, done, _ = bench.told
    assert (state & 1, seen, done) == (0, 101, 100)


@pytest.mark.parametrize("seed", range(6))
def test_the_texts_do_what_the_simulated_device_does(seed: int) -> None:
    benches = {name: Bench(block()) for name, block in BLOCKS.items()}
    random = Random(seed)
    epoch = token = 1
    for bench in benches.values():
        ready(bench)
    for _ in range(80):
        what = random.random()
        epoch = random.choice((epoch, epoch, epoch, epoch + 1, max(epoch - 1, 0), random.randrange(65_536)))
        token = random.choice((token + 1, token + 1, token, token - 1, random.randrange(65_536))) % 65_536
        cmd = random.choice((1, 1, 1, 2, OPEN, RESET))
        sent = Frame(epoch, cmd, random.choice((20, 50, 400, 3_000)), token=token).sealed()
        if random.random() < 0.1:
            sent = Frame(sent.epoch, sent.cmd, sent.param, sent.crc ^ 1 << random.randrange(16), sent.token)
        ms, keeps, alive = random.choice((10, 50, 300, 1_300)), random.random() < 0.7, random.random() < 0.8
        for bench in benches.values():
            if what < 0.6:
                bench.send(sent)
            elif what < 0.85:
                bench.lasts(ms)
            elif what < 0.95:
                bench.alive = alive
            else:
                bench.block.power_cycle(keeps=keeps)
            bench.lasts(50)
        for bench in benches.values():
            assert not bench.alive or bench.block.words[ECHO] == bench.block.words[HEARTBEAT]
        seen = {name: bench.told for name, bench in benches.items()}
        if what >= 0.95:  # a robot of which only the program is stopped begins a new order of tokens, and says 0 again
            for bench in benches.values():
                ready(bench)
            continue
        assert seen["structured text"] == seen["model"]
        assert seen["urscript"] == seen["model"]


def test_a_person_at_the_machine_resets_only_a_device_that_is_spoken_to() -> None:
    program = units((ROOT / "deploy" / "token-block" / "cellctl_token.st").read_text("utf-8"))
    unit = program["CellctlToken"]
    values = {**unit.first, **dict.fromkeys(("Heartbeat", "Epoch", "Cmd", "Param", "Crc", "Token"), 0)}
    values |= {"CycleMs": 10, "ResetHere": True}
    Run(program, unit, values)
    assert values["CommTrip"] is True
    values["Heartbeat"] = 1
    Run(program, unit, values)
    assert values["CommTrip"] is False


def test_work_is_not_over_because_the_work_before_was() -> None:
    bench = Bench(block := StructuredText())
    ready(bench)
    block._values["WorkDone"] = True
    block._application.begin = lambda token, param: block.started.append(token)  # type: ignore[method-assign]
    block._application.result = 1
    bench.send(frame(101))
    bench.lasts(50)
    assert (bench.told[1], block.words[DONE_TOKEN]) == (1, 100)


def test_each_rule_of_the_page_is_tried() -> None:
    page = (ROOT / "docs" / "reference" / "token-block.md").read_text("utf-8")
    table = page.partition("## Rules")[2].partition("\n## ")[0]
    told = dict(re.findall(r"^\| ([a-z][^|]*?) \|[^|]*\|\s*(\d?)\s*\|", table, flags=re.MULTILINE))
    assert told == {name: str(rule.refused or "") for name, rule in RULES.items()}
