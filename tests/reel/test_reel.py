"""`talkedit reel` as people run it: what the film shows, says and sounds like, and what it refuses."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

pytest.importorskip("moviepy")

from talkedit_sdk.clip import Clip
from talkedit_sdk.errors import Cancelled, InputError, NoFaceError, OutputError
from talkedit_sdk.face.track import FaceTrack, Tracking
from talkedit_sdk.provenance import DIGITAL_SOURCE_TYPE
from talkedit_sdk.reel import make_reel
from talkedit_sdk.reel.excerpt import SAMPLE_RATE, Excerpt
from talkedit_sdk.reel.page import Page
from talkedit_sdk.reel.region import Region

EXAMPLE = Path(__file__).parents[2] / "examples" / "talk.mp4"
RATE, SECONDS = 25, 1.0
SCENE, TITLE, CLOSING = 25, 45, 60  # frames
CLOSING_LINE = "The words, the voice and the person are those of the clip; only the expression was changed"


def sound_of(path: Path) -> np.ndarray:
    """(N,) mono samples at 48 kHz, from time 0 on."""
    with av.open(str(path)) as container:
        resampler = av.AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE)
        parts = [part for frame in container.decode(audio=0) for part in resampler.resample(frame)]
    samples = np.zeros(parts[-1].pts + parts[-1].samples)
    for part in parts:
        begin = max(0, part.pts)
        samples[begin : part.pts + part.samples] = part.to_ndarray()[0, begin - part.pts :]
    return samples


def lag(heard: np.ndarray, meant: np.ndarray) -> int:
    """By how many samples `heard` comes late."""
    size = 2 * len(meant)
    match = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(meant, size)))
    best = int(np.argmax(match))
    return best if best < len(meant) else best - size


@pytest.mark.parametrize(("size", "options"), [((1920, 1080), ()), ((1080, 1920), ("--portrait",))])
def test_film_and_poster(talkedit, tmp_path, decode, size, options):
    film, poster = tmp_path / "film.mp4", tmp_path / "film.png"
    words = ("-e", "surprised", "-e", "sad", "--title", "A title of my own", "--seconds", SECONDS)
    done = talkedit("reel", EXAMPLE, "-o", film, *words, "--poster", *options)
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[:2] == [str(film), str(poster)]
    assert sorted(tmp_path.iterdir()) == [film, poster]

    with av.open(str(film)) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        assert (video.width, video.height) == size
        assert (video.average_rate, video.codec_context.pix_fmt, video.codec_context.colorspace) == (RATE, "yuv420p", 1)
        assert abs(float(audio.duration * audio.time_base) - 8.2) < 0.1
        tags = dict(container.metadata)
    assert tags["digital_source_type"] == DIGITAL_SOURCE_TYPE
    assert "surprised, sad" in tags["comment"]
    assert json.loads(tags["talkedit"])["emotion"] == "surprised, sad"
    assert film.read_bytes().count(b"CreatorTool") == 1  # in XMP too
    frames = decode(film)
    assert len(frames) == TITLE + 4 * SCENE + CLOSING

    # The words are drawn: each page looks like itself with them, and not like itself without.
    page = Page(size)
    card = page.card("A title of my own", "One clip, two emotions, edited with talkedit")
    assert same_letters(frames[TITLE // 2], card)
    assert not same_letters(frames[TITLE // 2], page.card("A title", "One clip, two emotions, edited with talkedit"))
    assert same_letters(frames[-CLOSING // 2], page.card("Synthetic media, edited with talkedit", CLOSING_LINE))
    grid = frames[TITLE + SCENE + SCENE // 2]
    boxes = page.tiles(3, 0.8, 1.5)
    texts = ("original", "surprised", "sad")
    full = page.sheet("", "", [(box, text, text != "original") for box, text in zip(boxes, texts, strict=True)])
    for box in boxes:
        line = np.s_[box.top + box.height : box.top + box.height + page.caption, box.left : box.left + box.width]
        assert same_letters(grid[line], full[line])

    # All tiles show the same part of the same frame, with another face.
    source, surprised, sad = (grid[box.slices].astype(int) for box in boxes)
    edge = page.unit(40)
    assert apart(source[edge:-edge, edge : 2 * edge], sad[edge:-edge, edge : 2 * edge]) < 2.5
    assert apart(source, surprised) > 1.5
    assert apart(surprised, sad) > 1.5
    still = np.asarray(Image.open(poster))
    assert still.shape == (size[1], size[0], 3)
    assert Image.open(poster).text["digital_source_type"] == DIGITAL_SOURCE_TYPE
    for box in boxes:
        assert still[box.slices].std() > 20

    # Every scene begins the sound anew, in step; the cards are silent.
    heard, meant = sound_of(film), sound_of(EXAMPLE)[: round(SECONDS * SAMPLE_RATE)]
    assert np.abs(heard[: round((TITLE / RATE - 0.03) * SAMPLE_RATE)]).max() < 0.01
    assert np.abs(meant).max() > 0.05
    for scene in range(4):
        begin = round((TITLE + scene * SCENE) / RATE * SAMPLE_RATE)
        part = heard[begin : begin + len(meant)]
        assert abs(lag(part, meant)) < 0.005 * SAMPLE_RATE
        assert np.corrcoef(part, meant)[0, 1] > 0.9


def same_letters(seen: np.ndarray, meant: np.ndarray) -> bool:
    """Whether the bright parts of two pictures are the same, and there are some."""
    a, b = seen.mean(2) > 80, meant.mean(2) > 80
    return bool(b.sum() > 100 and (a & b).sum() > 0.85 * (a | b).sum())


def apart(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a.astype(int) - b).mean())


def test_a_reel_that_is_stopped_leaves_nothing(editor, tmp_path):
    stages = []

    def stop(progress):
        stages.append(progress.stage)
        return progress.stage == "track" or progress.done < 60

    with pytest.raises(Cancelled):
        make_reel(editor, EXAMPLE, tmp_path / "film.mp4", ["happy"], seconds=1, progress=stop)
    assert "render" in stages
    assert list(tmp_path.iterdir()) == []


def test_ffmpeg_that_fails_leaves_nothing(editor, tmp_path, monkeypatch):
    monkeypatch.setattr("moviepy.video.io.ffmpeg_writer.FFMPEG_BINARY", "/bin/false")
    with pytest.raises(OutputError, match=r"moviepy's ffmpeg refused it"):
        make_reel(editor, EXAMPLE, tmp_path / "film.mp4", ["happy"], seconds=1, progress=False)
    assert list(tmp_path.iterdir()) == []


def test_without_moviepy_one_sentence_says_what_to_install(talkedit_at_once, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "moviepy", None)
    done = talkedit_at_once("reel", EXAMPLE, "-o", tmp_path / "film.mp4")
    assert (done.code, done.error) == (2, "A reel needs moviepy; install it with: pip install 'talkedit[reel]'.")


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("-o", "film.txt"), 1, "end its name in .mp4"),
        (("-o", "missing/film.mp4"), 1, "does not exist"),
        (("-o", "there.mp4"), 1, "add --force"),
        (("-o", "film.mp4", "-e", "hapy"), 2, "did you mean 'happy'"),
    ],
)
def test_mistakes_are_found_before_the_work(talkedit_at_once, tmp_path, monkeypatch, options, code, said):
    monkeypatch.chdir(tmp_path)
    Path("there.mp4").write_bytes(b"kept")
    done = talkedit_at_once("reel", EXAMPLE, *options)
    assert done.code == code
    assert said in done.error
    assert [path.name for path in tmp_path.iterdir()] == ["there.mp4"]
    assert Path("there.mp4").read_bytes() == b"kept"


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--seconds", "0.5"), 2, "1 to 60 seconds"),
        (("--seconds", "nan"), 2, "1 to 60 seconds"),
        (("--title", "漢字"), 2, "no such letters"),
        (("--title", " "), 2, "letters"),
        (("--title", "x" * 91), 2, "1 to 90 letters"),
    ],
)
def test_options_out_of_range(talkedit, tmp_path, options, code, said):
    done = talkedit("reel", EXAMPLE, "-o", tmp_path / "film.mp4", *options)
    assert done.code == code
    assert said in done.error
    assert list(tmp_path.iterdir()) == []


def test_clips_that_cannot_make_a_reel(editor, tmp_path, make_video: Callable[..., Path], make_heads):
    out = tmp_path / "film.mp4"
    short = make_video(tmp_path / "short.mp4", list(make_heads(12)))
    with pytest.raises(InputError, match=r"lasts 0\.5 s: a reel needs a clip of at least 1 s"):
        make_reel(editor, short, out, progress=False)
    empty = make_video(tmp_path / "empty.mp4", [np.full((224, 224, 3), 90, np.uint8)] * 30)
    with pytest.raises(NoFaceError):
        make_reel(editor, empty, out, progress=False)
    photo = tmp_path / "photo.png"
    Image.fromarray(next(iter(make_heads(1)))).save(photo)
    with pytest.raises(InputError, match="is a photo"):
        make_reel(editor, photo, out, progress=False)
    assert not out.exists()


def test_an_excerpt_has_an_even_rate(make_video, make_heads, tmp_path):
    path = make_video(tmp_path / "clip.mp4", list(make_heads(40)))
    excerpt = Excerpt(path, 1.2)
    pictures = list(excerpt.pictures())
    assert (excerpt.rate, len(pictures), pictures[0].shape) == (25, 30, (224, 224, 3))
    assert len(list(Excerpt(path, 8.0).pictures())) == 40


def test_a_region_stays_inside_the_frame_and_calm():
    times = np.arange(50) / 25
    points = np.random.default_rng(0).uniform(0, 60, (1, 478, 3)).astype(np.float32).repeat(40, 0)
    points[:, :, 0] += np.linspace(0, 150, 40)[:, None] + 3 * (-1.0) ** np.arange(40)[:, None]
    track = FaceTrack(0, np.arange(5, 45), points, np.ones(40, np.float32), np.zeros(40, np.int64))
    tracking = Tracking((120, 200), times, np.zeros(50, bool), (track,))
    region = Region.of(Clip(None, tracking, (), ()), 0)  # type: ignore[arg-type]
    path = region.faces[:, 0]
    assert len(path) == 50
    assert np.abs(np.diff(path, 2))[6:42].max() < 0.6  # the face itself jerks by 12
    picture = np.zeros((120, 200, 3), np.uint8)
    picture[:, :, 0] = np.arange(200)
    for index in (0, 25, 49):
        tile = region.face(picture, index, (80, 80))
        assert tile.shape == (80, 80, 3)
        across = np.diff(tile[40, 2:-2, 0].astype(int))
        assert across.min() >= 0  # nothing is repeated from beyond the edge
        assert across.sum() > 50
