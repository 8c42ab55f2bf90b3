"""Takes the pictures of the app in the README: `docs/app.webp`, which moves, and the screenshots `docs/app-*.webp`.

python docs/make_app_pictures.py

It starts the app and drives it in headless Chromium; eSpeak NG reads what the photo says. The page asks for the fonts
Inter and Palatino and takes what the machine has instead; the pictures here were taken with Debian's fonts-inter and
fonts-urw-base35.
"""

from __future__ import annotations

import io
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

try:
    from PIL import Image
    from playwright.sync_api import FloatRect, Locator, Page, sync_playwright

    from talkedit_sdk.app import build, launch_options, texts
    from talkedit_sdk.app.limits import Limits
    from talkedit_sdk.speech.text import available
    from talkedit_sdk.video.source import open_source
except ModuleNotFoundError as error:
    sys.exit(f"The pictures need {error.name}: run make browser, which installs all of it into .venv.")

ROOT = Path(__file__).parents[1]
RATE = 12
"""Frames a second of the moving picture."""
DESK, PHONE = {"width": 1280, "height": 2400}, {"width": 390, "height": 844}
"""The desk holds the whole page, as taking what lies outside of the window would break off a drag."""
MARGIN = 12
EXAMPLE = ROOT / "examples" / "talk.mp4"
PREVIEW = "#compare .te-new[src]"
EMOTION = "#emotion label:has(input[value={}])"

# Screenshots have no mouse pointer, so the page draws one.
POINTER = """() => {
  const pointer = document.createElement("div");
  pointer.style.cssText = "position:fixed; left:0; top:0; z-index:9999; pointer-events:none";
  pointer.innerHTML = `<svg width="26" height="32" viewBox="0 0 13 16"><path fill="#111" stroke="#fff"
    d="M1 1v12l3-2.8 1.9 4.3 2-.9L6 9.5h4z"/></svg>`;
  document.documentElement.append(pointer);
  addEventListener("mousemove", ({clientX: x, clientY: y}) => {
    pointer.style.transform = `translate(${x - 2}px, ${y - 2}px)`;
  }, true);
}"""
BELOW_PREVIEW = """() => {
  const [settings, work] = ["#settings", "#work"].map((part) => document.querySelector(part).getBoundingClientRect());
  scrollBy(0, settings.top - work.height - 10);
  document.querySelector("#moments label:has(:checked)").scrollIntoView({inline: "center", block: "nearest"});
}"""
SEEK = "(seek, at) => { seek.value = at; seek.dispatchEvent(new Event('input', {bubbles: true})); }"


class Film:
    """Drives the mouse over a page and keeps what a visitor would see, at `RATE`."""

    def __init__(self, page: Page) -> None:
        page.evaluate(POINTER)
        self._page, self._at = page, (1010.0, 470.0)
        page.mouse.move(*self._at)
        self._frames: list[Image.Image] = []
        self._durations: list[int] = []

    def hold(self, seconds: float = 1 / RATE) -> None:
        """Nothing happens for a while."""
        self._frames.append(shot(self._page, "#desk"))
        self._durations.append(round(1000 * seconds))

    def go(self, part: Locator, across: float, down: float, seconds: float, follow: bool = False) -> None:
        """The mouse moves to a place in a part of the page, from (0, 0) at its top left to (1, 1), starting and ending
        gently. With `follow` the preview keeps up with it."""
        box = part.bounding_box()
        assert box is not None
        (x0, y0), (x, y) = self._at, (box["x"] + across * box["width"], box["y"] + down * box["height"])
        for step in range(1, (count := round(RATE * seconds)) + 1):
            share = (step / count) ** 2 * (3 - 2 * step / count)
            self._page.mouse.move(x0 + share * (x - x0), y0 + share * (y - y0))
            if follow and (step % 2 == 0 or step == count):
                settle(self._page)
            self.hold()
        self._at = x, y

    def drag(self, selector: str, *stops: tuple[float, float], follow: bool = False) -> None:
        """A slider from stop to stop, each (across, seconds); the button is down from the first on."""
        slider = self._page.locator(selector)
        self.go(slider, stops[0][0], 0.5, stops[0][1])
        self._page.mouse.down()
        for across, seconds in stops[1:]:
            self.go(slider, across, 0.5, seconds, follow)
        self._page.mouse.up()

    def choose(self, emotion: str) -> None:
        self.go(self._page.locator(EMOTION.format(emotion)), 0.62, 0.36, 0.5)
        self._page.mouse.down()
        self._page.mouse.up()
        settle(self._page)

    def save(self, path: Path) -> None:
        first, *rest = self._frames
        first.save(path, save_all=True, append_images=rest, duration=self._durations, loop=0, quality=76, method=6)


def film(page: Page) -> None:
    """The line between before and after is dragged, then emotions, intensity and detail change."""
    camera = Film(page)
    camera.hold(0.4)
    camera.drag("#compare input", (0.5, 0.3), (0.64, 0.3), (0.3, 0.6))
    camera.choose("surprised")
    camera.hold(0.6)
    camera.drag("#intensity input[type=range]", (0.6, 0.4), (0.05, 0.5), (0.72, 0.7), follow=True)
    camera.hold(0.5)
    camera.choose("angry")
    camera.hold(0.6)
    camera.drag("#detail input[type=range]", (0.85, 0.3), (0.02, 0.5), (0.97, 0.7), follow=True)
    camera.hold(0.9)
    camera.save(ROOT / "docs" / "app.webp")


def result(page: Page, name: str) -> None:
    """The rendered clip, in the middle of a word."""
    page.click(EMOTION.format("surprised"))
    settle(page)
    page.click("#render")
    page.wait_for_selector("#player video", timeout=300_000)
    page.wait_for_function("[...document.querySelectorAll('#player video')].every((video) => video.readyState >= 4)")
    page.locator("#player .te-seek").evaluate(SEEK, 0.853)
    page.mouse.move(0, 0)
    page.wait_for_timeout(1000)
    shot(page, "#results").save(ROOT / "docs" / name, quality=82, method=6)


def phone(page: Page) -> None:
    """The controls, and the picture that stays in sight."""
    page.click(EMOTION.format("sad"))
    settle(page)
    page.evaluate(BELOW_PREVIEW)
    page.wait_for_timeout(500)
    screen = shot(page)
    below = 2 * round(page.locator("#mouth").evaluate("part => part.getBoundingClientRect().top"))
    screen.crop((0, 0, screen.width, below)).save(ROOT / "docs" / "app-phone.webp", quality=82, method=6)


def talk(page: Page, photo: Path) -> None:
    """A photo that says something, happily."""
    page.click(f'button[role=tab]:has-text("{texts.TAB_TALK}")')
    page.set_input_files("#talk-photo input[type=file]", str(photo))
    page.wait_for_selector("#talk-photo img")
    page.click(f'#talking button[role=tab]:has-text("{texts.TAB_TEXT}")')
    page.fill("#talk-text textarea", texts.TEXT_EXAMPLE)
    page.click('#talk-emotion label:has-text("Happy")')
    page.click("#talk")
    page.wait_for_selector("#film video", timeout=300_000)
    page.wait_for_function("document.querySelector('#film video').readyState >= 4")
    # Chromium lays its buttons over what is paused, and over the badge.
    page.locator("#film video").evaluate("film => { film.controls = false; film.currentTime = 2.66; }")
    page.mouse.move(0, 0)
    page.wait_for_timeout(1000)
    shot(page, "#talking .te-desk").save(ROOT / "docs" / "app-talk.webp", quality=82, method=6)


def settle(page: Page) -> None:
    """Waits until the preview has stayed the same for a second."""
    known, since = None, time.monotonic()
    while time.monotonic() < since + 1:
        if (shown := page.locator(PREVIEW).get_attribute("src")) != known:
            known, since = shown, time.monotonic()
        page.wait_for_timeout(100)


def shot(page: Page, part: str | None = None) -> Image.Image:
    """What is in sight, or a part of the page with a margin."""
    clip = None
    if part is not None:
        box = page.locator(part).bounding_box()
        assert box is not None
        clip = FloatRect(
            x=box["x"] - MARGIN, y=box["y"] - MARGIN, width=box["width"] + 2 * MARGIN, height=box["height"] + 2 * MARGIN
        )
    return Image.open(io.BytesIO(page.screenshot(clip=clip))).convert("RGB")


def main() -> None:
    chromium = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)
    if chromium is None:
        sys.exit("The pictures need chromium: apt-get install chromium.")
    if not available():
        sys.exit("The pictures need eSpeak NG: apt-get install espeak-ng.")
    limits = Limits.from_environment()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as started:
        os.environ["GRADIO_TEMP_DIR"] = folder
        app = build(limits, EXAMPLE)
        _, address, _ = app.launch(server_name="127.0.0.1", prevent_thread_lock=True, **launch_options(limits))
        browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])

        def visit(size: dict[str, int], scale: float, **options: Any) -> Page:
            """The page with the example and its first preview."""
            options |= {"viewport": size, "device_scale_factor": scale, "reduced_motion": "reduce"}
            page = browser.new_context(**options).new_page()
            page.goto(address)
            page.click("#example")
            page.wait_for_selector(PREVIEW, timeout=120_000)
            settle(page)
            return page

        film(visit(DESK, 1))
        phone(visit(PHONE, 2))
        for scheme in ("light", "dark"):
            result(visit(DESK, 1.5, color_scheme=scheme), f"app-{scheme}.webp")
        Image.fromarray(next(iter(open_source(EXAMPLE).frames())).rgb).save(photo := Path(folder) / "face.png")
        talk(visit(DESK, 1.5), photo)
        browser.close()
        app.close()


if __name__ == "__main__":
    main()
