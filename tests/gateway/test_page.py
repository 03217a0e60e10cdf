"""The overview page in a real browser: it is live, it is honest about old values, and its buttons do what they say."""

import asyncio
import hashlib
import json
import sys
from pathlib import Path

from playwright.async_api import Locator, Page, expect

from cellctl.core.fault import Cause
from cellctl.core.messages import Operate, Recover, Refused
from cellctl.core.packml import Command
from tests.gateway.control import FakeControl, changing_over, held, in_doubt, producing, until

STATIC = Path(sys.modules["cellctl"].__path__[0]) / "gateway" / "http" / "static"
STICKING_OUT = """[...document.querySelectorAll("section li, .command, .state")]
    .filter((box) => box.scrollWidth > box.clientWidth + 1).map((box) => box.textContent)"""
PANELS = [(1280, 800), (1024, 600), (1920, 1080)]


async def test_the_page_shows_the_cell_and_follows_it(page: Page, control: FakeControl) -> None:
    for text in ("Battery modules 1", "Simulated", "module-12s", "MOD-12S-A", "7 of 20", "weld busbars: point 7 of 24"):
        await expect(page.get_by_text(text)).to_be_visible()
    assert await page.get_by_role("progressbar").get_attribute("aria-valuenow") == "7"
    control.view = producing(good=47)
    await expect(page.locator("[data-count=good]")).to_have_text("47", timeout=500)


async def test_why_alarms_devices_and_the_choice(page: Page, control: FakeControl) -> None:
    control.view = held()
    for text in ("The laser window is dirty", "laser is not connected: no answer", "Check its power and its cable."):
        await expect(page.get_by_text(text, exact=True)).to_be_visible()
    await expect(page.get_by_text("Offline")).to_have_count(1)
    await expect(button(page, "Unhold")).to_be_disabled()
    await expect(button(page, "Unhold")).to_contain_text("laser is not connected")
    await page.get_by_role("button", name="Scrap").click()
    await asked(control)
    assert control.requests[0].action == Recover(control.view.questions[0].id, "scrap")


async def test_who_decides_about_a_pulse_sees_the_sensors_of_then_and_now(page: Page, control: FakeControl) -> None:
    control.view = in_doubt()
    rows = page.locator(".sensors tbody tr")
    await expect(rows).to_have_text(["robot.holds_partnoyes", "robot.force2.5 Nnot known"])
    await page.get_by_role("button", name="Done").click()
    await asked(control)
    assert control.requests[0].action == Recover(control.view.questions[0].id, "done")


async def test_a_button_sends_its_command_and_shows_the_answer(page: Page, control: FakeControl) -> None:
    await expect(button(page, "Start")).to_be_disabled()
    await expect(button(page, "Start")).to_contain_text("Not possible in state Execute")
    await button(page, "Stop").click()
    await expect(page.get_by_role("status")).to_have_text("Stop: Holding")
    control.answer = lambda request: Refused(request.id, "the door is open")
    await button(page, "Hold").click()
    await expect(page.get_by_role("status")).to_have_text("Hold was refused: the door is open")
    assert [request.action for request in control.requests] == [Operate(Command.STOP), Operate(Command.HOLD)]


async def test_the_answer_is_shown_until_the_state_has_come(page: Page, control: FakeControl) -> None:
    safety = page.get_by_text("Not a safety system. Use the emergency stop of the machine.")
    await button(page, "Hold").click()
    await expect(page.get_by_role("status")).to_have_text("Hold: Holding")
    await expect(safety).to_be_visible()
    for state, told in (("Holding", "Hold: Holding"), ("Held", "")):
        control.view = producing(state=state)
        await expect(page.locator(".state strong")).to_have_text(state)
        await expect(page.get_by_role("status")).to_have_text(told)
    await expect(safety).to_be_visible()


async def test_a_changeover_names_the_terminal(page: Page, control: FakeControl) -> None:
    control.view = changing_over()
    await expect(page.get_by_text("Changeover to module-8s: step 2 of 3")).to_be_visible()
    await expect(page.get_by_text("Go on in a terminal: cellctl changeover module-8s")).to_be_visible()


async def test_names_of_signals_keep_their_underscores(page: Page, control: FakeControl) -> None:
    text = "close_door waits for plc.air_pressure and plc.guard_closed."
    control.view = producing(why=(Cause("wait", "w", text, ""),))
    await expect(page.get_by_text("close door waits for plc.air_pressure and plc.guard_closed.")).to_be_visible()


async def test_abort_wants_to_be_held(page: Page, control: FakeControl) -> None:
    abort = button(page, "Abort")
    await abort.click()
    await expect(page.get_by_role("status")).to_have_text("Abort: Hold for 1 s")
    await abort.hover()
    await page.mouse.down()
    await asyncio.sleep(0.5)
    await page.mouse.up()
    await asyncio.sleep(0.7)
    assert control.requests == []
    await page.mouse.down()
    await asked(control)
    await page.mouse.up()
    assert control.requests[0].action == Operate(Command.ABORT)
    await abort.focus()
    await page.keyboard.down("Enter")
    await asked(control, 2)
    await page.keyboard.up("Enter")


async def test_an_old_value_is_never_shown_as_live(page: Page, control: FakeControl) -> None:
    control.silent = True
    await expect(page.get_by_role("alert")).to_contain_text("No data from the cell", timeout=2500)
    await expect(button(page, "Stop")).to_be_disabled()
    assert "line-through" in await page.locator("[data-count=good]").evaluate("e => getComputedStyle(e).textDecoration")
    control.silent = False
    await expect(page.get_by_role("alert")).to_have_count(0, timeout=2500)
    await expect(button(page, "Stop")).to_be_enabled()
    assert control.requests == []


async def test_the_page_finds_a_gateway_that_was_away(page: Page, control: FakeControl) -> None:
    await control.stop()
    await expect(page.get_by_role("alert")).to_be_visible(timeout=1500)
    control.view = producing(good=48)
    await control.start()
    await expect(page.locator("[data-count=good]")).to_have_text("48", timeout=2500)


async def test_it_fits_every_panel_in_every_state(page: Page, control: FakeControl) -> None:
    for width, height in PANELS:
        await page.set_viewport_size({"width": width, "height": height})
        for view in (producing(), held(), changing_over(), producing(simulated=False)):
            control.view = view
            await expect(page.locator(".state strong")).to_have_text(view.state)
            some = ", ".join(one.id for one in view.devices if one.simulated)
            told = "Simulated" if view.simulated else f"Simulated: {some}. All else is real."
            await expect(page.locator(".simulated")).to_have_text(told)
            size = await page.evaluate("[document.body.scrollWidth, document.body.scrollHeight]")
            assert size == [width, height]
            assert await page.evaluate(STICKING_OUT) == []
            for box in await page.locator(".command, .choices button").evaluate_all(
                "all => all.map(e => e.getBoundingClientRect().toJSON())"
            ):
                assert min(box["width"], box["height"]) >= 64


async def test_colour_means_that_something_is_wrong(page: Page, control: FakeControl) -> None:
    assert await coloured(page) == 0
    control.view = held()
    await expect(page.get_by_text("Held", exact=True)).to_be_visible()
    assert await coloured(page) > 0.001


async def coloured(page: Page) -> float:
    """The share of the page that is not grey, measured by the browser itself."""
    shot = await page.screenshot()
    return float(
        await page.evaluate(
            """async (png) => {
                const image = await createImageBitmap(new Blob([new Uint8Array(png)]));
                const canvas = new OffscreenCanvas(image.width, image.height).getContext("2d");
                canvas.drawImage(image, 0, 0);
                const { data } = canvas.getImageData(0, 0, image.width, image.height);
                let found = 0;
                for (let at = 0; at < data.length; at += 4) {
                    const most = Math.max(data[at], data[at + 1], data[at + 2]);
                    const least = Math.min(data[at], data[at + 1], data[at + 2]);
                    if (most > 60 && (most - least) / most > 90 / 255) found += 1;
                }
                return found / (data.length / 4);
            }""",
            list(shot),
        )
    )


def test_vendored_modules_are_those_of_the_registry() -> None:
    folder = STATIC / "vendor"
    told = dict(reversed(line.split()) for line in (folder / "SHA256SUMS").read_text().splitlines())
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}
    for name in ("SHA256SUMS", "README.md"):
        found.pop(name)
    assert found == told


def test_the_import_map_names_what_is_there() -> None:
    page = (STATIC / "index.html").read_text()
    imports = json.loads(page.partition('<script type="importmap">')[2].partition("</script>")[0])["imports"]
    for path in imports.values():
        assert (STATIC.parent / path.removeprefix("/")).is_file()


def button(page: Page, name: str) -> Locator:
    return page.locator(f"[data-command={name.lower()}]")


async def asked(control: FakeControl, times: int = 1) -> None:
    """Until the cell was asked so often."""

    async def often() -> bool:
        return len(control.requests) >= times

    await until(often)
