"""Alarms on the page, from the core through link and gateway to the browser: seen, acknowledged, shelved, too many."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace

import pytest
from playwright.async_api import Locator, Page, expect

from cellctl.core.condition_text import parse
from cellctl.core.equipment import AlarmSpec
from cellctl.core.messages import Receipt, Refused, Request
from tests.core.bench import SIGNALS, Bench, S, equipment
from tests.gateway.control import FakeControl

HOT = AlarmSpec(
    "hot", parse("laser.peak > 1900 W", signals=SIGNALS), "high", "Too hot", "Wait.", 2 * 3600 * S,
    words={"en": ("Too hot", "Wait."), "cy": ("Rhy boeth", "Arhoswch.")},
)  # fmt: skip
NOTE = AlarmSpec("note", parse("plc.horn", signals=SIGNALS), "info", "The horn sounds", "Listen.")
MANY = tuple(
    AlarmSpec(f"m{number:02}", parse(f"plc.count > {number}", signals=SIGNALS), "low", f"Number {number}", "Look.", S)
    for number in range(30)
)


class Live:
    """A cell of the core behind the link: what the page asks is decided by it, and what it shows is what it tells."""

    def __init__(self, control: FakeControl) -> None:
        self.bench = Bench(replace(equipment(), alarms=(HOT, NOTE, *MANY)))
        self._control = control
        control.answer = self._answer

    def _answer(self, request: Request) -> Receipt | Refused:
        self.bench.step(request)
        return self.bench.replies[-1].answer

    async def follow(self) -> None:
        while True:
            self._control.view = replace(self.bench.view(), time_ns=time.time_ns())  # the link takes nothing older
            await asyncio.sleep(0.05)

    def set(self, signal: str, value: float | bool) -> None:
        self.bench.values[signal] = value
        self.bench.advance(0.01)


@pytest.fixture
async def live(control: FakeControl, page: Page) -> AsyncIterator[Live]:
    live = Live(control)
    following = asyncio.create_task(live.follow())
    try:
        await expect(page.get_by_role("heading", name="Cell 1")).to_be_visible()
        yield live
    finally:
        following.cancel()
        with suppress(asyncio.CancelledError):
            await following


def row(page: Page, alarm: str) -> Locator:
    return page.locator(f"[data-alarm={alarm}]")


async def test_an_alarm_is_seen_within_half_a_second_and_acknowledged(page: Page, live: Live) -> None:
    raised = time.monotonic()
    live.set("laser.peak", 1950.0)
    await expect(row(page, "hot")).to_be_visible(timeout=500)
    assert time.monotonic() - raised < 0.6
    for text in ("Alarm · High", "Not acknowledged", "Too hot", "Wait.", "Came first"):
        await expect(row(page, "hot").get_by_text(text, exact=True)).to_be_visible()
    await row(page, "hot").get_by_role("button", name="Acknowledge").click()
    await expect(row(page, "hot").get_by_text("Acknowledged", exact=True)).to_be_visible()
    await expect(row(page, "hot").get_by_role("button", name="Acknowledge")).to_have_count(0)
    live.set("laser.peak", 5.0)
    await expect(row(page, "hot")).to_have_count(0)
    live.set("plc.horn", True)
    await expect(row(page, "note")).to_be_visible()
    await expect(row(page, "note").get_by_role("button")).to_have_count(0)


async def test_an_alarm_is_shelved_with_a_reason_and_comes_back_by_itself(page: Page, live: Live) -> None:
    live.set("laser.peak", 1950.0)
    await row(page, "hot").get_by_role("button", name="Shelve").click()
    sheet = page.get_by_role("dialog")
    go = sheet.get_by_role("button", name="Shelve")
    await expect(go).to_be_disabled()
    await expect(sheet.get_by_role("group", name="For how long?").get_by_role("button")).to_have_text(
        ["10 min", "1 h", "2 h"]
    )
    await sheet.get_by_role("button", name="The part is ordered").click()
    await go.click()
    await expect(sheet).to_have_count(0)
    await expect(row(page, "hot")).to_contain_text("The part is ordered")
    await expect(row(page, "hot")).to_contain_text("Shelved until")
    assert live.bench.noted("alarm.shelved")[0]["until_ns"] == live.bench.now + 600 * S
    live.bench.advance(601, tick=S)
    await expect(row(page, "hot").get_by_text("Not acknowledged")).to_be_visible()
    await row(page, "hot").get_by_role("button", name="Shelve").click()
    await sheet.get_by_label("Why?").last.fill("it is known")
    await sheet.get_by_role("button", name="2 h").click()
    await go.click()
    await row(page, "hot").get_by_role("button", name="Show again").click()
    await expect(row(page, "hot").get_by_text("Not acknowledged")).to_be_visible()
    assert [entry["reason"] for entry in live.bench.noted("alarm.shelved")] == ["The part is ordered", "it is known"]


async def test_thirty_alarms_in_ten_seconds_stay_usable(page: Page, live: Live) -> None:
    for number in range(30):
        live.set("plc.count", number + 1)
        live.bench.advance(0.3, tick=S // 10)
    await expect(page.get_by_text("More alarms come than anyone can follow")).to_be_visible()
    await expect(page.locator("[data-alarm]")).to_have_count(5)
    await expect(row(page, "m00").get_by_text("Came first")).to_be_visible()
    assert await page.evaluate("[document.body.scrollWidth, document.body.scrollHeight]") == [1280, 800]
    began = time.monotonic()
    await page.get_by_role("button", name="Acknowledge the 5 shown").click()
    await expect(row(page, "m05").get_by_role("button", name="Acknowledge")).to_be_visible()
    assert time.monotonic() - began < 1.5
    seen = [entry["alarm"] for entry in live.bench.noted("alarm.acked")]
    assert seen == [f"m{number:02}" for number in range(5)]
    await page.get_by_role("button", name="25 more alarms").click()
    await expect(page.locator("[data-alarm]")).to_have_count(30)
    await page.get_by_role("button", name="Show fewer").click()
    await expect(page.locator("[data-alarm]")).to_have_count(5)


async def test_page_and_alarms_in_welsh(page: Page, live: Live, origin: str) -> None:
    await page.get_by_role("link", name="Cymraeg").click()
    live.set("laser.peak", 1950.0)
    for text in ("Larwm · Uchel", "Heb ei gydnabod", "Rhy boeth", "Arhoswch.", "Daeth gyntaf"):
        await expect(row(page, "hot").get_by_text(text, exact=True)).to_be_visible()
    assert await page.evaluate("document.documentElement.lang") == "cy"
    await expect(page.get_by_text("Nid system ddiogelwch.")).to_be_visible()
    said = """Object.keys((await import("/static/texts.js")).texts).sort()"""
    welsh = await page.evaluate(f"(async () => {said})()")
    await page.get_by_role("link", name="English").click()
    await expect(row(page, "hot").get_by_text("Too hot")).to_be_visible()
    assert await page.evaluate(f"(async () => {said})()") == welsh


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (1024, 600), (1920, 1080)])
@pytest.mark.parametrize("language", ["en", "cy"])
async def test_it_fits_every_panel(page: Page, live: Live, origin: str, width: int, height: int, language: str) -> None:
    await page.set_viewport_size({"width": width, "height": height})
    await page.goto(f"{origin}?lang={language}")
    live.set("plc.count", 30)
    live.set("laser.peak", 1950.0)
    await row(page, "hot").get_by_role("button").last.click()
    sheet = page.get_by_role("dialog")
    await expect(sheet).to_be_visible()
    assert await page.evaluate("[document.body.scrollWidth, document.body.scrollHeight]") == [width, height]
    for box in await sheet.locator("button, input").evaluate_all(
        "all => all.map(e => e.getBoundingClientRect().toJSON())"
    ):
        assert min(box["width"], box["height"]) >= 64
        assert box["x"] >= 0
        assert box["right"] <= width
        assert box["bottom"] <= height
    sticking = """[...document.querySelectorAll("section li, section button, .command, .state, header > *")]
        .filter((box) => box.scrollWidth > box.clientWidth + 1).map((box) => box.textContent)"""
    assert await page.evaluate(sticking) == []
