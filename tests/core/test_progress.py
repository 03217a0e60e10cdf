"""What a step of a part remembers: finished items and kept values, over any interruption."""

from cellctl.core.progress import Progress, Pulse

from .bench import run


def test_finished_items_are_skipped_after_an_interruption() -> None:
    begun: list[object] = []

    async def code(c):
        for item in c.steps(["a", "b", "c"]):
            begun.append(item)
            await c.sleep("1 s")

    solo = run(code).go(1000)
    assert begun == ["a", "b"]
    solo.close()
    solo.enter().go(1000).go(1000)
    assert begun == ["a", "b", "b", "c"]
    assert solo.run.ended is True
    assert [data["item"] for data in solo.noted("item")] == ["step:a", "step:b", "step:c"]


def test_an_item_that_was_left_early_is_not_finished() -> None:
    async def code(c):
        for item in c.steps([1, 2]):
            if item == 2:
                break
        c.keep("after", 1)

    solo = run(code)
    assert solo.progress.items == {"step:1"}
    assert solo.progress.kept == {"after": 1}


def test_items_inside_items_are_told_apart() -> None:
    async def code(c):
        for row in c.steps([1, 2], name="row"):
            for col in c.steps([1, 2], name="col"):
                c.keep("place", f"{row}{col}")

    solo = run(code)
    assert solo.progress.kept == {f"row:{r}/col:{k}/place": f"{r}{k}" for r in (1, 2) for k in (1, 2)}
    assert {"row:1", "row:2", "row:1/col:2"} <= solo.progress.items


def test_keep_remembers_the_first_value() -> None:
    seen: list[object] = []

    async def code(c):
        seen.append(c.keep("start", c.laser.peak.value))
        await c.sleep("1 s")

    solo = run(code)
    solo.close()
    solo.tell({"laser.peak": 9.0})
    solo.enter()
    assert seen == [1400.0, 1400.0]
    assert solo.noted("kept") == [{"name": "start", "value": 1400.0}]


def test_a_finished_item_forgets_what_happened_inside_it_and_nothing_else() -> None:
    progress = Progress()
    for place in ("step:1/", "step:10/", "step:1x/", ""):
        progress.pulses[f"{place}fire#1"] = Pulse(1)
        progress.answers[f"{place}weak#1"] = "retry"
        progress.retries[f"{place}weak"] = 1
    progress.kept["step:1/start"] = 5
    progress.apply("item", {"item": "step:1"})
    assert progress.items == {"step:1"}
    assert list(progress.pulses) == ["step:10/fire#1", "step:1x/fire#1", "fire#1"]
    assert list(progress.answers) == ["step:10/weak#1", "step:1x/weak#1", "weak#1"]
    assert list(progress.retries) == ["step:10/weak", "step:1x/weak", "weak"]
    assert progress.kept == {"step:1/start": 5}
