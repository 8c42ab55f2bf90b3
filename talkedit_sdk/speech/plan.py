"""What somebody does who speaks: how their face moves in each picture."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from numbers import Real
from pathlib import Path
from typing import Final, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from talkedit_sdk.clip import Clip
from talkedit_sdk.emotion import EmotionCurve, EmotionCurveLike, Intensity, IntensityLike
from talkedit_sdk.errors import NoFaceError, OptionError
from talkedit_sdk.face.fit import FaceFit
from talkedit_sdk.face.model import FaceModel
from talkedit_sdk.face.topology import BLENDSHAPES, INDEX, LIP_PAIRS, VERTICES
from talkedit_sdk.face.track import FaceTrack
from talkedit_sdk.motion.mouth import LipProjection, closedness, lip_gaps
from talkedit_sdk.motion.speaking import Speaking, spoken_gaps, usual_shape
from talkedit_sdk.motion.types import MotionEdit, MotionEditor, MotionRequest
from talkedit_sdk.speech.audio import read_voice
from talkedit_sdk.speech.driver import Auto, Drive
from talkedit_sdk.speech.eyes import EyeControl, iris_shift
from talkedit_sdk.speech.head import MAX_HEAD
from talkedit_sdk.speech.network import EYES
from talkedit_sdk.speech.prosody import Prosody
from talkedit_sdk.speech.shots import moving, prolonged
from talkedit_sdk.speech.source import Beginning, sized_still
from talkedit_sdk.speech.types import Voice
from talkedit_sdk.video.container import check_input
from talkedit_sdk.video.photo import is_photo
from talkedit_sdk.video.source import FrameList, checked_rate, open_source
from talkedit_sdk.video.types import FrameSource

AUTO: Final = "auto"
"""Emotion as the voice has it."""

_SAMPLE: Final = 256  # frames from which a person at rest is taken
_FEWEST: Final = 5  # frames with closed lips that say how they look
_FULL_LOOK: Final = 30.0  # degrees of a coefficient of 1
_WIDE_OPEN: Final = 0.3  # gap between the lips, model units, from which on they are hard to close
_BROWS: Final = {"browInnerUp": 0.16, "browOuterUpLeft": 0.12, "browOuterUpRight": 0.12}  # on a stressed word
_BROW_WIDTH: Final = 0.16  # seconds
_BROW_SHARE: Final = 0.5  # of stressed words on which brows go up
_MOUTH_WEIGHT: Final = 0.85  # of the speech against the emotion
_CALM: Final = 0.6  # share by which lips keep to what they do without emotion
_NEUTRAL: Final = EmotionCurve.parse("neutral")
_PARTING: Final = tuple(
    INDEX[name]
    for name in BLENDSHAPES
    if name.startswith(("jawOpen", "mouthClose", "mouthLowerDown", "mouthUpperUp", "tongueOut"))
)
"""What a mouth that is open all the time does, and does not when it is shut."""
_UPPER: Final = torch.tensor([name.startswith(("brow", "eye", "cheekSquint")) for name in BLENDSHAPES])
_EYEBALLS: Final = torch.tensor([name.startswith(("eyeBlink", "eyeLook")) for name in BLENDSHAPES])


class Driver(Protocol):
    """Turns speech into coefficients, see `SpeechDriver`."""

    def drive(
        self,
        voice: Voice,
        initial: Tensor,
        emotion: Auto | EmotionCurve,
        intensity: Intensity,
        times: NDArray[np.float64],
        eyes: Tensor | None = None,
    ) -> Drive: ...


@dataclass(frozen=True)
class Script:
    """What is to be said, and how.

    Members:
        path, voice, prosody: the sound, as a file, as samples, and how it goes up and down.
        emotion: over time, or "auto" as in the voice; intensity: of it, over time.
        eyes, head, seed: see `Editor.speak`.
    """

    path: Path
    voice: Voice
    prosody: Prosody
    emotion: Auto | EmotionCurve
    intensity: Intensity
    eyes: EyeControl
    head: float
    seed: int

    @classmethod
    def read(
        cls,
        audio: str | os.PathLike[str],
        emotion: EmotionCurveLike,
        intensity: IntensityLike,
        eyes: EyeControl,
        head: float,
        seed: int,
    ) -> Script:
        """Checks what was asked for and reads the sound.

        Raises:
            OptionError: something is unknown or out of range.
            InputError: the sound cannot be read.
        """
        wanted: Auto | EmotionCurve = "auto" if emotion == AUTO else EmotionCurve.parse(emotion)
        strength = Intensity.parse(intensity)
        if not isinstance(eyes, EyeControl):
            raise OptionError("eyes must be an EyeControl such as EyeControl(blink_rate=10).")
        if not isinstance(head, Real) or not 0 <= head <= MAX_HEAD:
            raise OptionError(f"head is {head!r}; give a number from 0 (still) to {MAX_HEAD:g}.")
        if not isinstance(seed, int) or seed < 0:
            raise OptionError(f"seed is {seed!r}; give a whole number of 0 or more.")
        voice = read_voice(audio)
        return cls(Path(audio), voice, Prosody.of(voice), wanted, strength, eyes, float(head), seed)


@dataclass(frozen=True)
class Scene:
    """Somebody who is going to speak: a clip as long as the speech, the number of the face, whether it is a photo, and
    what the user should know."""

    clip: Clip
    face: int
    still: bool
    notes: tuple[str, ...]


def stage(
    source: str | os.PathLike[str] | Iterable[NDArray[np.uint8]] | Clip,
    script: Script,
    face: str | int,
    fps: float | None,
    look: Callable[[FrameSource], Clip],
) -> Scene:
    """The source of `Editor.speak` as long as the speech; `look` finds the faces.

    Raises:
        OptionError, InputError: see `Editor.speak`.
    """
    if face == "all":
        raise OptionError("Only one face can speak: choose 'largest' or a number as listed by `faces`.")
    rate = checked_rate(fps)
    if isinstance(source, Clip):
        opened = source.source
    elif isinstance(source, (str, os.PathLike)) and is_photo(check_input(source)):
        opened = open_source(source)
    else:
        opened = open_source(source, fps)
    if opened.info.kind != "photo" and opened.info.frame_count != 1:
        seconds = script.voice.duration
        clip = source if isinstance(source, Clip) else look(Beginning(opened, seconds))
        (index,) = clip.choose(face)
        scene = Scene(prolonged(clip, seconds), index, False, ())
        if not len(scene.clip.tracking.faces[index].frames):
            raise NoFaceError(
                f"Face {index} comes into the picture only after the speech has ended: choose another one."
            )
        return scene
    photo = next(iter(opened.frames())).rgb
    rgb = sized_still(photo)
    clip = look(FrameList([rgb], rate))
    (index,) = clip.choose(face)
    notes = []
    if rgb.shape != photo.shape:
        notes.append(
            f"The photo was brought from {photo.shape[1]}x{photo.shape[0]} to {rgb.shape[1]}x{rgb.shape[0]}: a video "
            "needs even sides, and no more than a full HD picture holds."
        )
    track, fit = clip.tracking.faces[index], clip.fits[index]
    gaps = lip_gaps(fit.pose.to_model(_landmarks(track, slice(None), fit.neutral.device)))
    if float(gaps.max()) > _WIDE_OPEN:
        notes.append("The mouth of the photo is wide open: one that is closed or smiles talks more naturally.")
    moved = moving(
        clip, index, rgb, opened.info.path, rate, script.prosody, script.voice.duration, script.head, script.seed
    )
    return Scene(moved, index, True, tuple(notes))


def perform(
    model: FaceModel, driver: Driver, motion: MotionEditor, scene: Scene, script: Script, strength: Tensor
) -> tuple[MotionEdit, Speaking]:
    """What the face of a scene does; `strength` (T,) in the rows of its track."""
    track, fit = scene.clip.tracking.faces[scene.face], scene.clip.fits[scene.face]
    times = scene.clip.tracking.times[track.frames]
    initial = rest(model, track, fit)
    onsets = script.eyes.onsets(script.voice.duration, script.prosody.phrase_ends.tolist(), scene.still, script.seed)
    lids, gaze = script.eyes.lids(times, onsets), script.eyes.gazes(times, scene.still, script.seed)
    eyes = _eyes(fit.coefficients, lids, gaze)
    drive = driver.drive(script.voice, initial, script.emotion, script.intensity, times, eyes)
    calm = driver.drive(script.voice, initial, _NEUTRAL, Intensity.parse(0), times, eyes)
    drive = felt(model, motion, initial, drive, calm, times)
    drive = stressed(drive, script.prosody, times, script.seed)
    return speaking(model, track, fit, initial, drive, lids, gaze, strength, not scene.still)


def rest(model: FaceModel, track: FaceTrack, fit: FaceFit) -> Tensor:
    """(52,) the person with lips that touch, and otherwise as they are when they do not speak."""
    step = slice(None, None, max(1, len(track.frames) // _SAMPLE))
    coefficients = fit.coefficients[step]
    vertices = fit.pose[step].to_model(_landmarks(track, step, model.device))
    closed = closedness(lip_gaps(vertices))
    usual = coefficients[closed > 0.5] if int((closed > 0.5).sum()) >= _FEWEST else coefficients
    face = usual.median(0, keepdim=True).values
    face[:, list(_PARTING)] *= closed.amax()
    openings = torch.zeros(1, 8, device=model.device)
    openings[:, :5] = 1
    return LipProjection(model)(torch.zeros_like(face), face, openings)[0]


def speaking(
    model: FaceModel,
    track: FaceTrack,
    fit: FaceFit,
    initial: Tensor,
    drive: Drive,
    lids: NDArray[np.float32],
    gaze: NDArray[np.float32],
    strength: Tensor,
    filmed: bool,
) -> tuple[MotionEdit, Speaking]:
    """What a face does in the rows of a track.

    The mouth is that of the drive. Brows and lids keep what they do in the source and go along with the emotion; eyes
    look and blink as in the source.

    Args:
        initial: (52,) from `rest`.
        drive: of these rows.
        lids: (T,) how far the lids are apart, relative to the source.
        gaze: (T, 2) degrees to the right and up.
        strength: (T,) share of it.
        filmed: whether the source is no photo.
    """
    before = fit.coefficients
    upper, eyeballs = _UPPER.to(model.device), _EYEBALLS.to(model.device)
    wanted = torch.where(upper, before + drive.coefficients - initial, drive.coefficients)
    wanted = torch.where(eyeballs, before, wanted).clamp(0, 1)
    after = before + strength.clamp(0, 1)[:, None] * (wanted - before)
    closed = torch.maximum(drive.closures, 1 - drive.speaking)
    step = slice(None, None, max(1, len(track.frames) // _SAMPLE))
    shape = usual_shape(model, fit, _landmarks(track, step, model.device), step)
    gaps = spoken_gaps(model, wanted, closed)
    apart = torch.from_numpy(lids).to(model.device)
    looks = strength[:, None] * torch.from_numpy(iris_shift(gaze)).to(model.device)
    return MotionEdit(after, torch.zeros_like(strength)), Speaking(gaps, apart, looks, strength, shape, filmed)


def felt(
    model: FaceModel,
    motion: MotionEditor,
    initial: Tensor,
    drive: Drive,
    calm: Drive,
    times: NDArray[np.float64],
) -> Drive:
    """The drive with its emotion in full. A driver knows how an emotion speaks, from few voices; `motion` knows how it
    looks, and takes away what the person's own face says instead, such as the smile of a photo. The lips part little
    further than they do in `calm`, the same words without emotion: disgust and surprise would gape."""
    gaps = [lip_gaps(model.mean + model.displacement(beta)) for beta in (drive.coefficients, initial[None])]
    request = MotionRequest(
        coefficients=drive.coefficients,
        times=torch.from_numpy(np.asarray(times, np.float64)).to(model.device),
        segments=torch.zeros(len(times), dtype=torch.int64, device=model.device),
        emotion=drive.emotion,
        intensity=drive.strength,
        mouth_weight=_MOUTH_WEIGHT,
        lip_gaps=(gaps[0] - gaps[1]).clamp_min(0),
    )
    openings = torch.zeros(len(times), 8, device=model.device)
    openings[:, : len(LIP_PAIRS)] = _CALM
    edited = LipProjection(model)(calm.coefficients, motion.edit(request).coefficients, openings)
    return replace(drive, coefficients=edited)


def stressed(drive: Drive, prosody: Prosody, times: NDArray[np.float64], seed: int) -> Drive:
    """The drive with brows that go up on some of the stressed words."""
    chance = np.random.default_rng((seed, 3))
    chosen = chance.random(len(prosody.weights)) < _BROW_SHARE
    raised = prosody.nods(times, prosody.weights * chosen, _BROW_WIDTH)
    rise = torch.from_numpy(np.minimum(raised, 1).astype(np.float32)).to(drive.coefficients.device)
    coefficients = drive.coefficients.clone()
    for name, share in _BROWS.items():
        coefficients[:, INDEX[name]] += share * rise
    return replace(drive, coefficients=coefficients)


def _eyes(before: Tensor, lids: NDArray[np.float32], gaze: NDArray[np.float32]) -> Tensor:
    """(T, 10) coefficients `EYES` of eyes that blink and look as said, (T, 52) being those of the source."""
    eyes = before.clone()
    shut = torch.from_numpy(1 - lids).to(eyes.device)
    right, up = (torch.from_numpy(gaze[:, axis] / _FULL_LOOK).to(eyes.device) for axis in (0, 1))
    looks = {
        "InLeft": -right,
        "OutLeft": right,
        "InRight": right,
        "OutRight": -right,
    }  # left and right are the person's
    for side in ("Left", "Right"):
        eyes[:, INDEX[f"eyeBlink{side}"]] = torch.lerp(eyes[:, INDEX[f"eyeBlink{side}"]], torch.ones_like(shut), shut)
        looks |= {f"Up{side}": up, f"Down{side}": -up}
    for name, share in looks.items():
        eyes[:, INDEX[f"eyeLook{name}"]] += share
    return eyes.clamp(0, 1)[:, list(EYES)]


def _landmarks(track: FaceTrack, rows: slice, device: torch.device) -> Tensor:
    return torch.from_numpy(np.array(track.landmarks[rows, :VERTICES], np.float32)).to(device)
