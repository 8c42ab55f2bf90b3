"""The editor: loads the weights and composes the stages."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from talkedit_sdk.clip import Clip, Face
from talkedit_sdk.device import find_device
from talkedit_sdk.emotion import (
    DETAIL,
    EmotionCurve,
    EmotionCurveLike,
    Intensity,
    IntensityLike,
    check_detail,
    check_mouth_weight,
)
from talkedit_sdk.face.fit import FaceFit, fit
from talkedit_sdk.face.model import FaceModel
from talkedit_sdk.face.topology import VERTICES
from talkedit_sdk.face.track import FaceTrack, Tracker, Tracking
from talkedit_sdk.face.tracker import FaceMeshTracker
from talkedit_sdk.hub import EMBEDDED, find_weights
from talkedit_sdk.motion.fade import edge_fade, visibility
from talkedit_sdk.motion.learned import FILE as MOTION
from talkedit_sdk.motion.learned import LearnedEditor
from talkedit_sdk.motion.mouth import lip_gaps
from talkedit_sdk.motion.types import MotionEditor, MotionRequest
from talkedit_sdk.progress import ProgressLike, reporting
from talkedit_sdk.provenance import disclosure, spoken_disclosure
from talkedit_sdk.render.nobody import FILE as MOUTHS
from talkedit_sdk.render.nobody import Nobody
from talkedit_sdk.render.renderer import Renderer
from talkedit_sdk.report import REASONS, EditReport
from talkedit_sdk.result import BLOCK, EditResult, FaceEdit
from talkedit_sdk.speech.driver import FILE as SPEECH
from talkedit_sdk.speech.driver import SpeechDriver
from talkedit_sdk.speech.eyes import EyeControl
from talkedit_sdk.speech.plan import AUTO, Driver, Script, perform, stage
from talkedit_sdk.texture.feather import Feather
from talkedit_sdk.texture.glasses import FILE as RIMS
from talkedit_sdk.texture.glasses import EyeFrame, RimFinder, RimNet
from talkedit_sdk.texture.keyframes import Expressions, KeyedGain
from talkedit_sdk.texture.learned import FILE as TEXTURE
from talkedit_sdk.texture.learned import LearnedTexture
from talkedit_sdk.texture.occlusion import Occlusion, OcclusionFinder
from talkedit_sdk.texture.person import PersonReader
from talkedit_sdk.texture.skin import SkinMap
from talkedit_sdk.texture.uv import TexelMap
from talkedit_sdk.threads import single_threaded
from talkedit_sdk.version import installed
from talkedit_sdk.video.pipeline import prefetch
from talkedit_sdk.video.source import open_source
from talkedit_sdk.video.types import FrameSource

_COVERED: Final = 0.01  # share of a face
_MENTIONED: Final = 0.02  # share of the frames
_HIDDEN: Final = "A hand, hair or a thing was in front of the face in {:.0%} of the frames; the edit fades out there."

VideoLike: TypeAlias = "str | os.PathLike[str] | Iterable[NDArray[np.uint8]] | Clip"


class Editor:
    """Changes the emotion of talking faces.

        editor = Editor.load()
        editor.edit("talk.mp4", emotion="happy", intensity=0.8).save("happy.mp4")

    One editor serves any number of clips, one at a time.
    """

    def __init__(
        self,
        model: FaceModel,
        tracker: Tracker,
        motion: MotionEditor,
        nobody: Nobody,
        rims: RimNet,
        people: PersonReader,
        speech: Callable[[], Driver],
    ) -> None:
        self._model, self._tracker, self._motion = model, tracker, motion
        self._renderer = Renderer(model, nobody)
        self._occlusion = OcclusionFinder(model, TexelMap(model))
        self._rims = RimFinder(model, rims)
        self._people = people
        self._feather = Feather(model)
        self._speech = cache(speech)

    @classmethod
    def load(
        cls,
        weights: str | os.PathLike[str] | None = None,
        device: str | torch.device = "auto",
        revision: str | None = None,
    ) -> Editor:
        """Loads an editor.

        Args:
            weights: None for those that come with the package; a folder ("./mine" or a path object); or a repository on
                the Hugging Face Hub ("org/name", unless a folder of that name exists), kept for use without network.
            device: "auto" (CUDA where there is one), "cpu", "cuda", "cuda:1", ...
            revision: branch, tag or commit of the repository.

        Raises:
            WeightsError: there are no usable weights; `find_weights` lists the reasons.
            OptionError: there is no such device, or a revision is given for what is no repository.
        """
        folder = find_weights(weights, revision)
        model = FaceModel.load(folder).to(find_device(device))
        motion = LearnedEditor.load(_holding(MOTION, folder), model)
        nobody, rims = Nobody.load(_holding(MOUTHS, folder)), RimNet.load(_holding(RIMS, folder))
        texels, skin = TexelMap(model), SkinMap(model)
        texture = LearnedTexture.load(_holding(TEXTURE, folder), model, skin)
        speech = partial(SpeechDriver.load, _holding(SPEECH, folder), model.device)
        tracker = FaceMeshTracker(texels, EyeFrame(model), skin)
        return cls(model, tracker, motion, nobody, rims, PersonReader(model, texels, skin, texture), speech)

    @single_threaded()
    def watch(self, video: VideoLike, fps: float | None = None, progress: ProgressLike = None) -> Clip:
        """Tracks and fits all faces of a video once, for several edits of it. Arguments and errors as in `edit`."""
        if isinstance(video, Clip):
            return video
        return self._look(open_source(video, fps), progress)

    def _look(self, source: FrameSource, progress: ProgressLike) -> Clip:
        with (
            reporting(progress, "track", source.info.frame_count) as advance,
            closing(prefetch(source.frames())) as frames,
        ):
            tracking = self._tracker.track(frames, advance)
        fits = tuple(fit(self._model, track, tracking.times[track.frames]) for track in tracking.faces)
        pairs = zip(tracking.faces, fits, strict=True)
        return Clip(source, tracking, fits, tuple(self._in_front(*pair, tracking) for pair in pairs))

    def _in_front(self, track: FaceTrack, face_fit: FaceFit, tracking: Tracking) -> Occlusion:
        found = self._occlusion.find(track, tracking.times[track.frames], tracking.size)
        return replace(found, keep=found.keep * self._rims.keep(track.eyes, face_fit.neutral))

    def faces(self, video: VideoLike, fps: float | None = None, progress: ProgressLike = None) -> tuple[Face, ...]:
        """Who is in a video, largest first, with thumbnails; empty if there is nobody."""
        return self.watch(video, fps, progress).list_faces()

    @single_threaded()
    def edit(
        self,
        video: VideoLike,
        emotion: EmotionCurveLike = "happy",
        intensity: IntensityLike = 1.0,
        mouth_weight: float = 0.5,
        face: str | int = "largest",
        fps: float | None = None,
        progress: ProgressLike = None,
        style: int = 0,
        detail: float = DETAIL,
    ) -> EditResult:
        """Plans an edit; rendering follows with `EditResult.save`.

        Args:
            video: path of a video or photo, frames (iterable of (H, W, 3) uint8 RGB), or a `Clip` from `watch`.
            emotion: neutral, happy, sad, angry, surprised, fearful, disgusted, contempt, a synonym, or a mixture such
                as {"happy": 0.7, "surprised": 0.3}. `neutral` takes the speaker's own expression away. Or emotions over
                time, [(seconds, emotion), ...], blended from one to the next.
            intensity: 0 (frames stay as they are) to 1, up to 1.5 exaggerates; or a curve [(seconds, value), ...].
            mouth_weight: 1 keeps the lips' opening and closures of the source and the motion of their width and
                protrusion, 0 lets the emotion shape the mouth.
            face: "largest", "all", or an index as listed by `faces`.
            fps: frame rate of given frames, default 25.
            progress: callback taking a `Progress` (returning False cancels), True, False, or None for a bar on a
                terminal.
            style: people show an emotion in their own ways; each number is another, the same one each time.
            detail: how much of the folds and shading of the skin comes and goes with the expression, 0 (none) to 1.

        Raises:
            OptionError: an argument is unknown or out of range.
            InputError: the video cannot be read, or shows no such face.
            Cancelled: the callback returned False.
        """
        target, curve = EmotionCurve.parse(emotion), Intensity.parse(intensity)
        weight, detail = check_mouth_weight(mouth_weight), check_detail(detail)
        clip = self.watch(video, fps, progress)
        chosen = clip.choose(face)
        edits, seen = [], []
        for index in chosen:
            track, face_fit = clip.tracking.faces[index], clip.fits[index]
            visible = visibility(face_fit, clip.tracking.times[track.frames], track.segments)
            seen.append(visible)
            keep = clip.occlusions[index].keep
            edit = self._plan(clip.tracking, track, face_fit, target, curve, weight, style, visible, keep)
            edits.append(self._with_skin(edit, clip.tracking, detail))
        covered = np.zeros(len(clip.tracking.times), np.float32)
        for index in chosen:
            frames = clip.tracking.faces[index].frames
            covered[frames] = np.maximum(covered[frames], clip.occlusions[index].covered)
        report = _report(clip.tracking, tuple(edits), seen, curve, covered)
        metadata = disclosure(installed(), target, report, weight, detail)
        return EditResult(clip, tuple(edits), report, self._model, self._renderer, metadata, progress)

    @single_threaded()
    def speak(
        self,
        source: VideoLike,
        audio: str | os.PathLike[str],
        emotion: EmotionCurveLike = AUTO,
        intensity: IntensityLike = 1.0,
        eyes: EyeControl = EyeControl(),  # noqa: B008 - frozen
        head: float = 1.0,
        face: str | int = "largest",
        seed: int = 0,
        fps: float | None = None,
        progress: ProgressLike = None,
        detail: float = DETAIL,
    ) -> EditResult:
        """Makes a face say something; rendering follows with `EditResult.save`, with the sound as it is.

        Args:
            source: path of a photo or video, frames, or a `Clip` from `watch`. A photo moves its head and blinks; a
                video keeps what its head and eyes do, ends with the sound, or goes on back and forth until then.
            audio: file with the speech, in any format; of a video the first sound track.
            emotion: "auto" takes it from the voice; otherwise as in `edit`.
            intensity: of the emotion, as in `edit`; with "auto", a factor to what is heard.
            eyes: what the eyes do, see `EyeControl`.
            head: how much the head of a photo moves, 0 (not at all) to 2.
            face: "largest", or an index as listed by `faces`.
            seed: each number moves head and eyes in another way, the same one each time.
            fps: frame rate of given frames, or of the result where the source is a photo; default 25.
            progress, detail: as in `edit`.

        Raises:
            OptionError: an argument is unknown or out of range.
            InputError: source or sound cannot be read, or there is no such face.
            WeightsError: the speech driver is missing or damaged.
            Cancelled: the callback returned False.
        """
        detail, script = check_detail(detail), Script.read(audio, emotion, intensity, eyes, head, seed)
        driver = self._speech()
        scene = stage(source, script, face, fps, lambda opened: self._look(opened, progress))
        clip = scene.clip
        track, face_fit = clip.tracking.faces[scene.face], clip.fits[scene.face]
        occlusion = clip.occlusions[scene.face]
        visible = visibility(face_fit, clip.tracking.times[track.frames], track.segments)
        strength = torch.from_numpy(visible * edge_fade(track, clip.tracking)).to(self._model.device)
        motion, speaking = perform(self._model, driver, self._motion, scene, script, strength)
        edit = FaceEdit(track, face_fit, motion, strength, occlusion.keep, speaking=speaking)
        edit = self._with_skin(edit, clip.tracking, detail)
        covered = np.zeros(len(clip.tracking.times), np.float32)
        covered[track.frames] = occlusion.covered
        report = _report(clip.tracking, (edit,), [visible], Intensity.parse(1.0), covered)
        report = replace(report, notes=(*scene.notes, *report.notes))
        metadata = spoken_disclosure(installed(), None if script.emotion == AUTO else script.emotion, report)
        return EditResult(clip, (edit,), report, self._model, self._renderer, metadata, progress, script.path)

    def _plan(
        self,
        tracking: Tracking,
        track: FaceTrack,
        face_fit: FaceFit,
        emotion: EmotionCurve,
        curve: Intensity,
        mouth_weight: float,
        style: int,
        visible: NDArray[np.float32],
        keep: torch.Tensor,
    ) -> FaceEdit:
        device, times = self._model.device, tracking.times[track.frames]
        strength = torch.from_numpy(curve.at(times) * visible * edge_fade(track, tracking)).to(device)
        request = MotionRequest(
            coefficients=face_fit.coefficients,
            times=torch.from_numpy(times).to(device),
            segments=torch.from_numpy(np.array(track.segments)).to(device),
            emotion=torch.from_numpy(emotion.at(times)).to(device),
            intensity=strength,
            mouth_weight=mouth_weight,
            lip_gaps=torch.cat([_gaps(track, face_fit, start) for start in range(0, len(times), BLOCK)]),
            style=style,
        )
        return FaceEdit(track, face_fit, self._motion.edit(request), strength, keep)

    def _with_skin(self, edit: FaceEdit, tracking: Tracking, detail: float) -> FaceEdit:
        """The edit with the change of the skin that goes with its motion."""
        if detail == 0 or not bool(edit.strength.any()):
            return edit
        track, face_fit, times = edit.track, edit.fit, tracking.times[edit.track.frames]
        person = self._people.read(track, face_fit, times, edit.keep)
        expressions = Expressions(
            before=face_fit.coefficients,
            after=edit.motion.coefficients,
            light=person.light,
            scale=face_fit.pose.scale,
            times=times,
            segments=track.segments,
        )
        return replace(edit, skin=KeyedGain(self._model, person.change, self._feather, expressions, detail))


def _holding(file: str, folder: Path) -> Path:
    """The folder if it holds the file, else that of the embedded weights: nobody has to train everything anew."""
    return folder if (folder / file).exists() else EMBEDDED


def _gaps(track: FaceTrack, face_fit: FaceFit, start: int) -> torch.Tensor:
    rows = slice(start, start + BLOCK)
    landmarks = torch.from_numpy(np.array(track.landmarks[rows, :VERTICES], np.float32))
    return lip_gaps(face_fit.pose[rows].to_model(landmarks.to(face_fit.neutral.device)))


def _report(
    tracking: Tracking,
    edits: tuple[FaceEdit, ...],
    visible: list[NDArray[np.float32]],
    curve: Intensity,
    covered: NDArray[np.float32],
) -> EditReport:
    count = len(tracking.times)
    strength = np.zeros(count, np.float32)
    reasons = np.full(count, REASONS.index("no face"), np.int8)
    wanted = curve.at(tracking.times)
    rank = {"no face": 0, "turned away": 1, "fading": 2, "intensity 0": 3, "edited": 4}
    ranks = np.array([rank[reason] for reason in REASONS])
    for edit, seen in zip(edits, visible, strict=True):
        frames, given = edit.track.frames, edit.strength.cpu().numpy()
        strength[frames] = np.maximum(strength[frames], given)
        names = np.full(len(frames), REASONS.index("edited"), np.int8)
        names[given < 0.98 * wanted[frames]] = REASONS.index("fading")
        names[seen < 0.5] = REASONS.index("turned away")
        names[wanted[frames] == 0] = REASONS.index("intensity 0")
        better = ranks[names] > ranks[reasons[frames]]
        reasons[frames[better]] = names[better]
    identities = tuple(edit.track.identity for edit in edits)
    hidden = float((covered > _COVERED).mean())
    notes = (_HIDDEN.format(hidden),) if hidden >= _MENTIONED else ()
    return EditReport(len(tracking.faces), identities, tracking.times, strength, reasons, notes, covered)
