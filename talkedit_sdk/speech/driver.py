"""The driver of a talking face: the speech network over a voice of any length, whole or as it comes in."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final, Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor

from talkedit_sdk.device import find_device
from talkedit_sdk.emotion import EMOTIONS, EmotionCurve, Intensity
from talkedit_sdk.errors import WeightsError
from talkedit_sdk.face.smooth import smoothstep
from talkedit_sdk.face.topology import BLENDSHAPES
from talkedit_sdk.motion.windows import interpolate
from talkedit_sdk.speech import network as speech_network
from talkedit_sdk.speech.features import FEATURES, FeatureStream
from talkedit_sdk.speech.network import EYES, SpeechNetwork, running_mean
from talkedit_sdk.speech.types import RATE, Voice
from talkedit_sdk.weights_files import read_config, read_tensors

FILE: Final = "speech.safetensors"
FORMAT: Final = 1
ARTICULATORS: Final = tuple(
    index
    for index, name in enumerate(BLENDSHAPES)
    if name.startswith(("jawOpen", "mouthClose", "mouthFunnel", "mouthPucker", "mouthLowerDown", "mouthUpperUp"))
)
"""Coefficients that part the lips: in pauses they go back to the person's rest, and where lips touch."""

_GAINS: Final = (0.5, 2.0)
_MAX_BYTES: Final = 16 * 2**20
_BLOCK: Final = 10 * RATE  # rows looked at together, beside their surroundings
_PUSHED: Final = 30  # seconds of sound taken at once
_TURN: Final = (12, 6)  # rows before and after over which emotion and strength are averaged
_GATE: Final = 4  # rows to either side over which speaking is averaged
_SMOOTH: Final = 1  # rows to either side over which coefficients are
_SPEAKING: Final = (0.15, 0.55)  # probability from which the mouth begins to move, and from which it is free
_TOUCHING: Final = (0.1, 0.8)  # probability from which lips begin to close, and from which they touch
_EASE: Final = (0.12, 0.24)  # seconds in which speech sets in at the beginning, and goes back to rest at the end
_AHEAD: Final = speech_network.AHEAD + max(_TURN[1], _GATE + _SMOOTH)
_BACK: Final = speech_network.BACK + max(_TURN[0], _GATE + _SMOOTH)

Auto: TypeAlias = Literal["auto"]


@dataclass(frozen=True)
class Drive:
    """What a voice makes a face do.

    Members:
        coefficients: (T, 52) in [0, 1].
        emotion: (T, 8) shares, as asked for or as heard.
        strength: (T,) of the expression, 1 for a full one; where it is heard, less the less sure that is.
        speaking: (T,) in [0, 1], 0 in pauses.
        closures: (T,) in [0, 1], 1 where the lips touch in speech.
    """

    coefficients: Tensor
    emotion: Tensor
    strength: Tensor
    speaking: Tensor
    closures: Tensor


class SpeechDriver:
    """Speech -> coefficients; `gain` scales how far the lips part, which regression leaves short."""

    def __init__(self, network: SpeechNetwork, gain: float = 1.0, device: str | torch.device = "cpu") -> None:
        self.device = find_device(device)
        self._network = network.to(self.device).eval()
        self._gain = gain

    @classmethod
    def load(cls, folder: Path, device: str | torch.device = "cpu") -> SpeechDriver:
        """Reads `speech.safetensors` and `speech.json`.

        Raises:
            WeightsError: files are missing, damaged, too large, or of another format.
            OptionError: there is no such device.
        """
        return cls(*load_speech(folder), device)

    def drive(
        self,
        voice: Voice,
        initial: Tensor,
        emotion: Auto | EmotionCurve,
        intensity: Intensity,
        times: NDArray[np.float64],
        eyes: Tensor | None = None,
    ) -> Drive:
        """Drives a face through a whole voice, in bounded memory besides the result.

        Args:
            voice: of any length; after its end the face rests.
            initial: (52,) the person at rest, lips closed as this person closes them.
            emotion: "auto" takes it from the voice.
            intensity: of the emotion: the strength itself, or with "auto" a factor to what is heard.
            times: (T,) ascending seconds of the frames.
            eyes: (T, 10) coefficients `EYES` at these times, as eye control wants them; at rest by default.
        """
        clock = torch.from_numpy(np.asarray(times, np.float64)).to(self.device)
        rows = torch.arange(max(voice.rows, 1), dtype=torch.float64, device=self.device) / RATE
        looks = None if eyes is None else interpolate(eyes.to(self.device), clock, rows)
        stream = self.stream(initial, emotion, intensity, looks)
        step = _PUSHED * voice.rate
        parts = [stream.push(voice.samples[begin : begin + step]) for begin in range(0, len(voice.samples), step)]
        drive = _joined([*parts, stream.finish()], self.device)
        if not len(drive.speaking):
            drive = self._resting(initial, emotion, intensity)
        columns = {
            field.name: interpolate(_columns(getattr(drive, field.name)), rows, clock) for field in fields(Drive)
        }
        for name in ("strength", "speaking", "closures"):
            columns[name] = columns[name][:, 0]
        if eyes is not None:
            columns["coefficients"][:, list(EYES)] = eyes.to(self.device).clamp(0, 1)
        return Drive(**columns)

    def stream(
        self, initial: Tensor, emotion: Auto | EmotionCurve, intensity: Intensity, eyes: Tensor | None = None
    ) -> DriveStream:
        """A stream that takes samples and gives rows at `RATE`, those of `drive`; arguments as there, `eyes` (N, 10) at
        `RATE`."""
        return DriveStream(self, initial.to(self.device), emotion, intensity, eyes)

    def _resting(self, initial: Tensor, emotion: Auto | EmotionCurve, intensity: Intensity) -> Drive:
        """One row for a voice without a sample."""
        stream = self.stream(initial, emotion, intensity)
        stream.push(np.zeros(1, np.float32))
        return stream.finish()

    @torch.no_grad()
    def look(self, request: Surroundings) -> Drive:
        """What the network makes of some rows, given their surroundings, before the ends of the voice are eased."""
        features = request.features[None]
        content = self._network.content(features)
        if request.emotion is None:
            logits, heard = self._network.emotion(features)
            shares = logits.softmax(-1)
            strength = heard * _sureness(shares) * request.intensity
        else:
            shares, strength = request.emotion[None], request.intensity[None]
        turned = running_mean(torch.cat([shares, strength[..., None]], -1), *_TURN)
        shares, strength = turned[..., :-1], turned[..., -1]
        initial = request.initial[None]
        code = self._network.code(shares, strength)
        found = self._network.decode(content.memory, code, initial, request.eyes[None])
        chances = torch.stack([content.speaking, content.closure], -1).sigmoid()
        speaking = smoothstep(running_mean(chances[..., :1], _GATE, _GATE), *_SPEAKING)
        closures = smoothstep(chances[..., 1:], *_TOUCHING) * speaking
        change = found - initial
        free = speaking * (1 - closures) * request.ease[None, :, None]
        change[..., list(ARTICULATORS)] *= self._gain * running_mean(free, _SMOOTH, _SMOOTH)
        smooth = running_mean(change, _SMOOTH, _SMOOTH)
        smooth[..., list(EYES)] = change[..., list(EYES)]
        coefficients = (initial + smooth).clamp(0, 1)
        return Drive(coefficients[0], shares[0], strength[0], speaking[0, :, 0], closures[0, :, 0])


@dataclass(frozen=True)
class Surroundings:
    """Rows for `SpeechDriver.look`: features (N, F), emotion (N, 8) or None for what is heard, intensity (N,), eyes
    (N, 10), ease (N,) in [0, 1], initial (52,)."""

    features: Tensor
    emotion: Tensor | None
    intensity: Tensor
    eyes: Tensor
    ease: Tensor
    initial: Tensor


class DriveStream:
    """A voice that comes bit by bit; rows are given as soon as nothing to come can change them."""

    def __init__(
        self,
        driver: SpeechDriver,
        initial: Tensor,
        emotion: Auto | EmotionCurve,
        intensity: Intensity,
        eyes: Tensor | None,
    ) -> None:
        self._driver, self._initial, self._eyes = driver, initial, eyes
        self._emotion, self._intensity = emotion, intensity
        self._stream = FeatureStream()
        self._features = torch.zeros(0, FEATURES)
        self._first = 0  # number of the first row that is kept
        self._given = 0  # rows given so far

    def push(self, samples: NDArray[np.float32]) -> Drive:
        """Takes the next samples, (N,) at 16 kHz -> the next K >= 0 rows."""
        self._features = torch.cat([self._features, self._stream.push(samples)])
        return self._give(self._first + len(self._features) - max(_AHEAD, round(_EASE[1] * RATE)), None)

    def finish(self) -> Drive:
        """The rows that are left."""
        self._features = torch.cat([self._features, self._stream.finish()])
        end = self._first + len(self._features)
        return self._give(end, end)

    def _give(self, stop: int, end: int | None) -> Drive:
        parts = []
        while self._given < stop:
            last = min(self._given + _BLOCK, stop)
            parts.append(self._look(self._given, last, end))
            self._given = last
        spare = max(self._given - _BACK - self._first, 0)
        self._features, self._first = self._features[spare:], self._first + spare
        return _joined(parts, self._driver.device)

    def _look(self, begin: int, stop: int, end: int | None) -> Drive:
        """Rows `begin` to `stop`; `end` is the number of rows once it is known."""
        first = max(begin - _BACK, self._first)
        last = min(stop + _AHEAD, self._first + len(self._features))
        device = self._driver.device
        rows = torch.arange(first, last, device=device)
        seconds = np.arange(first, last) / RATE
        ease = smoothstep(rows / RATE, -1 / RATE, _EASE[0])
        if end is not None:
            ease = ease * smoothstep((end - rows) / RATE, 0, _EASE[1])
        eyes = self._initial[list(EYES)].expand(len(rows), -1)
        if self._eyes is not None:
            eyes = self._eyes.to(device)[rows.clamp_max(len(self._eyes) - 1)]
        curve = self._emotion
        request = Surroundings(
            self._features[first - self._first : last - self._first].to(device),
            torch.from_numpy(curve.at(seconds)).to(device) if isinstance(curve, EmotionCurve) else None,
            torch.from_numpy(self._intensity.at(seconds)).to(device),
            eyes,
            ease,
            self._initial,
        )
        drive = self._driver.look(request)
        kept = slice(begin - first, stop - first)
        return Drive(**{field.name: getattr(drive, field.name)[kept] for field in fields(Drive)})


def _sureness(shares: Tensor) -> Tensor:
    """(..., 8) -> (...) 0 where all emotions are heard alike, 1 where there is one: who is not sure shows little."""
    entropy = -(shares * shares.clamp_min(1e-9).log()).sum(-1)
    return (1 - entropy / math.log(len(EMOTIONS))).clamp_min(0).sqrt()


def _columns(values: Tensor) -> Tensor:
    return values if values.ndim == 2 else values[:, None]


def _joined(parts: list[Drive], device: torch.device) -> Drive:
    none = torch.zeros(0, device=device)
    nothing = Drive(none.view(0, 1).expand(0, len(BLENDSHAPES)), none.view(0, 1).expand(0, len(EMOTIONS)), *[none] * 3)
    return Drive(**{f.name: torch.cat([getattr(part, f.name) for part in (nothing, *parts)]) for f in fields(Drive)})


def save_speech(network: SpeechNetwork, gain: float, folder: Path, summary: dict[str, object]) -> None:
    """Writes `speech.safetensors` (half precision) and `speech.json` into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: value.half().contiguous().cpu() for name, value in network.state_dict().items()}
    save_file(tensors, folder / FILE)
    config = {"format": FORMAT, "blendshapes": list(BLENDSHAPES), "features": FEATURES, "gain": gain, **summary}
    (folder / "speech.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def load_speech(folder: Path) -> tuple[SpeechNetwork, float]:
    """The network and its gain, as `save_speech` wrote them; errors as `SpeechDriver.load`."""
    config = read_config(folder / "speech.json", "speech driver", FORMAT)
    tensors = read_tensors(folder / FILE, "speech driver", _MAX_BYTES)
    gain = config.get("gain")
    if config.get("features") != FEATURES or not isinstance(gain, float) or not _GAINS[0] <= gain <= _GAINS[1]:
        raise WeightsError(f"The speech driver in {folder} is of another version of talkedit; update one of them.")
    network = SpeechNetwork(FEATURES)
    try:
        network.load_state_dict({name: value.float() for name, value in tensors.items()}, strict=True)
    except RuntimeError as error:
        raise WeightsError(f"The speech driver in {folder} is incomplete ({error}); reinstall talkedit.") from None
    if not all(bool(torch.isfinite(value).all()) for value in network.parameters()):
        raise WeightsError(f"The speech driver in {folder} is damaged; reinstall talkedit.")
    return network.eval(), gain
