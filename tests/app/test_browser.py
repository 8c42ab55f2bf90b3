"""A real browser on the real page: `make browser` brings what it needs beside Debian's chromium."""

from __future__ import annotations

import shutil
import wave
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright: make browser")
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="needs chromium: apt-get install chromium")

ALLOWED = "Failed to load resource: the server responded with a status of 416"
"""What the browser says of a video without a single byte, which Gradio shows before we can."""

PREVIEW = "#compare .te-new[src]"
DESK, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        running = started.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--autoplay-policy=no-user-gesture-required", "--use-fake-ui-for-media-stream",
                  "--use-fake-device-for-media-stream"],
        )  # fmt: skip
        yield running
        running.close()


@pytest.fixture
def visit(browser, app) -> Iterator[Callable[..., Any]]:
    """Opens the page; whatever the browser complains of fails the test."""
    contexts, complaints = [], []

    def open_page(size: dict[str, int] = DESK, scheme: str = "light") -> Any:
        context = browser.new_context(viewport=size, color_scheme=scheme, accept_downloads=True)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(30_000)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "console",
            lambda said: (
                complaints.append(said.text) if said.type == "error" and not said.text.startswith(ALLOWED) else None
            ),
        )
        page.goto(app)
        page.wait_for_selector("#example")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


def upload(page: Any, path: Path) -> None:
    page.set_input_files("#video input[type=file]", str(path))


def picture(page: Any) -> str:
    return page.locator(PREVIEW).get_attribute("src")


@contextmanager
def changing(page: Any, selector: str = PREVIEW, attribute: str = "src") -> Iterator[None]:
    """Waits until the preview is another one."""
    before = page.locator(selector).get_attribute(attribute)
    yield
    page.wait_for_function(
        "([s, a, b]) => document.querySelector(s)?.getAttribute(a) !== b", arg=[selector, attribute, before]
    )


@pytest.fixture(scope="module")
def hum(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of a low tone."""
    path = tmp_path_factory.mktemp("hum") / "hum.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
        file.writeframes(b"".join((9000 * (n // 60 % 2)).to_bytes(2, "little") for n in range(32000)))
    return path


@pytest.fixture
def ready(visit, talking) -> Any:
    """The page with a clip of one second, and its preview."""
    page = visit()
    upload(page, talking)
    page.wait_for_selector(PREVIEW)
    return page


def test_choices_and_sliders_change_the_preview(ready):
    assert "Happy, intensity 0.90" in ready.inner_text("#caption")
    with changing(ready):
        ready.click('#emotion label:has-text("Surprised")')
    ready.wait_for_function("document.querySelector('#caption').innerText.startsWith('Surprised')")
    box = ready.locator("#intensity input[type=range]").bounding_box()
    with changing(ready):
        ready.mouse.click(box["x"] + 0.2 * box["width"], box["y"] + box["height"] / 2)
    other = ready.locator("#moments label:has(input:not(:checked))").first
    with changing(ready):
        other.click()
    assert ready.locator("#moments input:checked").count() == 1


def test_by_keyboard(ready):
    ready.focus("#intensity input[type=range]")
    with changing(ready):
        ready.keyboard.press("ArrowRight")
    ready.wait_for_function("document.querySelector('#caption').innerText.includes('intensity 0.91')")
    ready.focus("#emotion input:checked")
    with changing(ready):
        ready.keyboard.press("ArrowRight")
    ready.wait_for_function("document.querySelector('#caption').innerText.startsWith('Sad')")
    assert ready.evaluate("document.activeElement.value") == "sad"
    ready.focus("#moments input:checked")
    with changing(ready):
        ready.keyboard.press("ArrowLeft")
    assert ready.evaluate("document.activeElement.matches('#moments input:checked')")
    with changing(ready, ".te-compare", "style"):
        ready.focus("#compare input")
        ready.keyboard.press("ArrowRight")


def test_mixture(ready):
    ready.click("#mixing input")
    ready.wait_for_selector("#share-happy")
    assert not ready.is_visible("#emotion")
    ready.focus("#share-angry input[type=range]")
    with changing(ready):
        ready.keyboard.press("End")
    ready.wait_for_function("document.querySelector('#caption').innerText.startsWith('Happy 50% + Angry 50%')")


def test_curve(ready):
    ready.click("#when button")
    with changing(ready):
        ready.click("#moments label >> nth=7")
    with changing(ready):
        ready.click('#curve button:has-text("Fade")')
    last = ready.locator(".te-handle >> nth=4")
    assert last.get_attribute("aria-valuenow") == "0"
    with changing(ready):
        last.hover()  # waits until the accordion is open
        ready.mouse.down()
        graph = ready.locator(".te-graph").bounding_box()
        ready.mouse.move(graph["x"], graph["y"] + graph["height"] / 2, steps=4)
        ready.mouse.up()
    middle = float(last.get_attribute("aria-valuenow"))
    assert 0.4 < middle < 0.6
    assert last.get_attribute("style").startswith("left:100%")
    last.focus()
    with changing(ready):
        last.press("ArrowUp")
    assert float(last.get_attribute("aria-valuenow")) == pytest.approx(middle + 0.05)


def test_render_play_and_download(ready, tmp_path):
    ready.click("#render")
    ready.wait_for_selector("#player video")
    assert "All 25 frames were edited." in ready.inner_text("#report")
    assert "Mouth opening" in ready.inner_text("#changes")
    ready.wait_for_function("[...document.querySelectorAll('#player video')].every(v => v.readyState >= 2)")
    ready.click(".te-play")
    ready.wait_for_function("document.querySelector('#player video').currentTime > 0.4")
    apart = "(([a, b]) => Math.abs(a.currentTime - b.currentTime))([...document.querySelectorAll('#player video')])"
    assert ready.evaluate(apart) < 0.12
    ready.click('#player button[data-mode="wipe"]')
    assert ready.locator(".te-player").get_attribute("data-mode") == "wipe"
    for button, name, frames in (
        ("#download-edited", "talk.happy.mp4", 25),
        ("#make-side", "talk.happy.side.mp4", 25),
        ("#make-wipe", "talk.happy.wipe.mp4", 25),
        ("#download-curves", "talk.happy.csv", 0),
    ):
        with ready.expect_download() as download:
            ready.click(button)
        path = tmp_path / name
        download.value.save_as(path)
        assert download.value.suggested_filename == name
        if frames:
            with av.open(str(path)) as container:
                assert sum(1 for _ in container.decode(video=0)) == frames
        else:
            assert len(path.read_text().splitlines()) == 26


def test_example_and_cancel(visit):
    page = visit()
    page.click("#example")
    page.wait_for_selector(PREVIEW)
    page.click("#render")
    page.wait_for_selector("#bar progress")
    page.click("#cancel")
    page.wait_for_selector("#notice .te-cancelled")
    assert page.inner_text("#notice") == "Cancelled. Nothing was kept of it."
    page.wait_for_selector("#render")
    assert not page.is_visible("#player")
    with changing(page):
        page.click('#emotion label:has-text("Sad")')
    assert not page.is_visible("#notice")


def test_close_up(visit, two):
    page = visit()
    page.click('button[role=tab]:has-text("Photo")')
    page.set_input_files("#photo input[type=file]", str(two))
    page.wait_for_selector(PREVIEW)
    assert page.evaluate(f"document.querySelector('{PREVIEW}').naturalWidth") < 800
    with changing(page):
        page.click("#close input")
    page.wait_for_function(f"document.querySelector('{PREVIEW}').naturalWidth === 840")


def test_two_visitors_are_served_one_after_the_other(visit, talking):
    first, second = visit(), visit()
    first.click("#example")
    upload(second, talking)
    for page in (first, second):
        page.wait_for_selector(PREVIEW)
    for page in (first, second):
        page.click("#render")
    for page, frames in ((first, 150), (second, 25)):
        page.wait_for_selector("#player video")
        assert f"All {frames} frames" in page.inner_text("#report")


def test_cancel_while_faces_are_sought(visit):
    page = visit()
    page.click("#example")
    page.click("#cancel")
    page.wait_for_selector("#notice .te-cancelled")
    assert page.is_visible("#empty")


def test_nobody_and_then_somebody(visit, wall, talking):
    page = visit()
    upload(page, wall)
    page.wait_for_selector("#notice [role=alert]")
    assert "No face was found; use a clip in which a face is" in page.inner_text("#notice")
    assert not page.is_visible("#render")
    page.click('#video button[aria-label="Clear"]')
    page.wait_for_selector("#video input[type=file]", state="attached")
    upload(page, talking)
    page.wait_for_selector(PREVIEW)
    assert not page.is_visible("#notice")


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("text.mp4", b"No film.\n" * 99, "text.mp4 is no video or photo that can be read"),
        ("empty.mp4", b"", "empty"),
        ("torn.mp4", b"\0\0\0\x18ftypisom\0\0\2\0isomiso2mp41\0\0\xff\xffmoov", "torn.mp4 is "),
        ("<b>name.mp4", b"\x1aE\xdf\xa3 webm?", "name.mp4 is no video"),
    ],
)
def test_broken_files(visit, tmp_path, name, content, told):
    page = visit()
    path = tmp_path / name
    path.write_bytes(content)
    upload(page, path)
    page.wait_for_selector("#notice [role=alert]")
    assert told in page.inner_text("#notice")
    assert page.is_visible("#example")


def test_half_a_clip(visit, talk):
    page = visit()
    data = talk.read_bytes()
    talk.write_bytes(data[: len(data) // 2])
    upload(page, talk)
    page.wait_for_selector("#notice [role=alert]")
    assert "is cut off" in page.inner_text("#notice")


def test_a_photo_of_two(visit, two):
    page = visit()
    page.click('button[role=tab]:has-text("Photo")')
    page.set_input_files("#photo input[type=file]", str(two))
    page.wait_for_selector(PREVIEW)
    assert page.locator("#faces label").count() == 3
    assert not page.is_visible("#moments")
    for who in (1, 0):
        with changing(page):
            page.click(f"#faces label >> nth={2 if who else 0}")
    page.click("#render")
    page.wait_for_selector("#download-edited")
    assert "The photo was edited." in page.inner_text("#report")
    assert not page.is_visible("#make-side")
    with page.expect_download() as download:
        page.click("#download-edited")
    assert download.value.suggested_filename == "two.happy.png"


def test_webcam(visit):
    """Chromium's make-believe camera shows nobody, but what it records is read like any file."""
    page = visit()
    page.click('#video button[aria-label="Capture from camera"]')
    page.click('#video [title="grant webcam access"]')
    page.click('#video button[aria-label="start recording"]')
    page.wait_for_timeout(1500)
    page.click('#video [title="stop recording"]')
    page.wait_for_selector("#notice [role=alert]")
    assert "No face was found" in page.inner_text("#notice")


def test_a_photo_talks(visit, two, hum):
    page = visit()
    page.click('button[role=tab]:has-text("Make a face talk")')
    page.click("#talk")
    page.wait_for_selector("#talk-notice [role=alert]")
    assert "no face yet" in page.inner_text("#talk-notice")
    page.set_input_files("#talk-photo input[type=file]", str(two))
    page.set_input_files("#talk-audio input[type=file]", str(hum))
    page.wait_for_selector("#talk-audio #waveform")
    page.click('#talk-emotion label:has-text("Happy")')
    for _ in range(2):  # the uploads outlive what was made of them
        page.click("#talk")
        page.wait_for_selector("#talk-bar progress")
        page.wait_for_selector("#film video")
        page.wait_for_function("document.querySelector('#film video').readyState >= 2")
        assert not page.is_visible("#talk-notice")
    with page.expect_download() as download:
        page.click("#download-talk")
    assert download.value.suggested_filename == "two.talk.mp4"


def test_talking_is_called_off(visit, two, hum):
    page = visit(PHONE, "dark")
    page.click('button[role=tab]:has-text("Make a face talk")')
    page.set_input_files("#talk-photo input[type=file]", str(two))
    page.set_input_files("#talk-audio input[type=file]", str(hum))
    page.wait_for_selector("#talk-audio #waveform")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    page.click("#talk")
    page.click("#talk-cancel")
    page.wait_for_selector("#talk-notice .te-cancelled")
    assert page.is_visible("#talk")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone(visit, talking, scheme):
    page = visit(PHONE, scheme)
    upload(page, talking)
    page.wait_for_selector(PREVIEW)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    page.locator("#mouth").scroll_into_view_if_needed()
    assert page.locator("#compare").bounding_box()["y"] >= 0  # the picture stays in sight
    colours = page.evaluate("[document.body, document.querySelector('#work')].map(e => getComputedStyle(e).color)")
    bright = [sum(map(int, colour.strip("rgb()").split(","))) > 384 for colour in colours]
    assert bright == [scheme == "dark"] * 2


def test_taking_the_clip_away_removes_its_files(ready, app):
    folder = Path(ready.evaluate("document.querySelector('#compare .te-old').src.split('file=')[1]")).parent
    assert folder.exists()
    ready.click('#video button[aria-label="Clear"]')
    ready.wait_for_selector("#empty")
    assert not folder.exists()
