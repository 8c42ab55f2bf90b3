"""A talking clip that is nobody's secret, NASA's public-domain portrait in motion, and the command line run in
process.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
import torch
from hypothesis import settings

from talkedit_sdk.cli import run
from talkedit_sdk.clip import Clip
from talkedit_sdk.editor import Editor
from talkedit_sdk.face.model import FaceModel
from talkedit_sdk.face.pose import Pose
from talkedit_sdk.face.topology import INDEX
from talkedit_sdk.hub import EMBEDDED
from talkedit_sdk.render.nobody import Nobody
from talkedit_sdk.render.renderer import Renderer

FPS, SIDE = 25, 224

settings.register_profile("talkedit", deadline=None, max_examples=60)
settings.load_profile("talkedit")

torch.set_num_threads(1)  # the suite runs in as many processes as there are cores


def heads(count: int) -> Iterator[np.ndarray]:
    """(224, 224, 3) uint8 frames of a head that sways, with film grain."""
    from skimage import data

    portrait, grain = data.astronaut(), np.random.default_rng(0)
    for index in range(count):
        angle = index / FPS * 2 * np.pi
        matrix = cv2.getRotationMatrix2D((224, 115), 3 * np.sin(angle), 1.2)
        matrix[:, 2] += np.array([SIDE / 2 + 4 * np.cos(angle), SIDE / 2]) - (224, 115)
        head = cv2.warpAffine(portrait, matrix, (SIDE, SIDE), flags=cv2.INTER_CUBIC)
        noisy = head + grain.normal(0, 3, head.shape)
        yield np.clip(noisy, 0, 255).astype(np.uint8)


def write_video(path: Path, frames: Sequence[np.ndarray] | Iterator[np.ndarray], codec: str = "libx264") -> Path:
    """A clip of 224x224 frames with a tone as long as they are."""
    with av.open(str(path), "w") as container:
        pictures = container.add_stream(codec, rate=FPS)
        pictures.width = pictures.height = SIDE
        pictures.pix_fmt = "yuv420p"
        pictures.bit_rate = 4_000_000
        sound = container.add_stream("mp2" if path.suffix == ".mpg" else "aac", rate=48000, layout="stereo")
        for count, rgb in enumerate(frames, start=1):
            container.mux(pictures.encode(av.VideoFrame.from_ndarray(rgb, "rgb24")))
            tone = (3000 * np.sin(np.arange(1920) * 0.06)).astype(np.int16).repeat(2)[None]
            block = av.AudioFrame.from_ndarray(tone, "s16", "stereo")
            block.sample_rate, block.pts = 48000, (count - 1) * 1920
            container.mux(sound.encode(block))
        container.mux(pictures.encode(None))
        container.mux(sound.encode(None))
    return path


@pytest.fixture(scope="session")
def talking(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One second of a face, with sound. Copy it before writing beside it."""
    return write_video(tmp_path_factory.mktemp("talking") / "talk.mp4", heads(FPS))


@pytest.fixture
def talk(talking: Path, tmp_path: Path) -> Path:
    """`talking` in a folder of its own."""
    path = tmp_path / "talk.mp4"
    path.write_bytes(talking.read_bytes())
    return path


@pytest.fixture(scope="session")
def make_video() -> Callable[..., Path]:
    return write_video


@pytest.fixture(scope="session")
def make_heads() -> Callable[[int], Iterator[np.ndarray]]:
    return heads


@pytest.fixture(scope="session")
def editor() -> Editor:
    return Editor.load()


@dataclass(frozen=True)
class Outcome:
    """How a command ended, and every byte that it wrote to the terminal, native code included."""

    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The one line of a failed command that wrote nothing else."""
        assert self.code != 0
        assert self.out == ""
        assert self.err.startswith("error: ")
        assert self.err.endswith("\n")
        assert self.err.count("\n") == 1
        return self.err[len("error: ") : -1]


@pytest.fixture
def talkedit(
    editor: Editor, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Outcome]:
    """Runs the command line in this process, with the editor of the session where the embedded one is asked for."""
    load = Editor.load

    def loaded(weights: Any = None, device: str = "auto", revision: str | None = None) -> Editor:
        embedded = weights is None and device == "auto" and revision is None
        return editor if embedded else load(weights, device, revision)

    monkeypatch.setattr(Editor, "load", loaded)

    def call(*arguments: object) -> Outcome:
        capfd.readouterr()
        code = run([str(argument) for argument in arguments])
        return Outcome(code, *capfd.readouterr())

    return call


@pytest.fixture
def talkedit_at_once(talkedit: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Outcome]:
    """As `talkedit`, for mistakes that have to be found before any long work begins."""

    def loaded(*_: object, **__: object) -> Editor:
        pytest.fail("the work began in spite of a mistake that could be seen before")

    monkeypatch.setattr(Editor, "load", loaded)
    return talkedit


@pytest.fixture
def contents(tmp_path: Path) -> Callable[[], dict[str, bytes | None]]:
    """Everything in the test's folder: to see that nothing was written and nothing lost."""

    def read() -> dict[str, bytes | None]:
        paths = sorted(tmp_path.rglob("*"))
        return {str(p.relative_to(tmp_path)): p.read_bytes() if p.is_file() else None for p in paths}

    return read


@pytest.fixture(scope="session")
def decode() -> Callable[[Path], list[np.ndarray]]:
    def read(path: Path) -> list[np.ndarray]:
        with av.open(io.BytesIO(path.read_bytes())) as container:
            return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]

    return read


@pytest.fixture(scope="session")
def model() -> FaceModel:
    """The face model that ships, on the CPU."""
    return FaceModel.load(EMBEDDED)


@pytest.fixture(scope="session")
def portrait_head() -> np.ndarray:
    """(360, 360, 3) a smiling face, 150 pixels wide."""
    from skimage import data

    return cv2.resize(data.astronaut()[0:240, 104:344], (360, 360), interpolation=cv2.INTER_CUBIC)


@pytest.fixture(scope="session")
def speech(editor: Editor, model: FaceModel, portrait_head: np.ndarray) -> np.ndarray:
    """(24, 360, 360, 3) the portrait made neutral, its mouth opening and closing twice."""
    clip = editor.watch([portrait_head])
    (track,), (fit,) = clip.tracking.faces, clip.fits
    change = torch.zeros(24, len(INDEX))
    change[:, [INDEX["mouthSmileLeft"], INDEX["mouthSmileRight"]]] = -1.5
    change[:, [INDEX["mouthUpperUpLeft"], INDEX["mouthUpperUpRight"]]] = -0.3
    change[:, INDEX["jawOpen"]] = -0.38 + 0.22 * (1 - torch.cos(torch.arange(24) / 24 * 4 * torch.pi))
    one = Pose(fit.pose.scale.cpu(), fit.pose.rotation.cpu(), fit.pose.translation.cpu())
    pose = one[torch.zeros(24, dtype=torch.long)]
    landmarks = torch.from_numpy(np.array(track.landmarks)).expand(24, -1, -1)
    renderer = Renderer(model, Nobody.load(EMBEDDED))
    placement = renderer.place(landmarks, pose.rotate(model.displacement(change)))
    frames = torch.from_numpy(portrait_head)[None].repeat(24, 1, 1, 1)
    return renderer.draw(frames, placement).numpy()


@pytest.fixture(scope="session")
def watched(editor: Editor, speech: np.ndarray) -> Clip:
    """`speech` at 25 frames a second, tracked and fitted once for all edits of it."""
    return editor.watch(speech, fps=25)
