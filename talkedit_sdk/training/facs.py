"""Speech acted in an emotion: coefficients of someone calm -> the same person saying the same, moved.

What a face does follows Ekman, Friesen & Hager, *Facial Action Coding System* (2002) and its EMFACS tables: action
units of each emotion with their common variants, stronger on one side than on the other, rising and fading over tenths
of a second to seconds, firmer on stressed syllables. Lips that articulate have the right of way: rounded lips smile
less, open lips cannot press, closures stay closed, lids that blink blink.

No face was recorded for this; it is knowledge from the literature in the shape of training data.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from talkedit_sdk.emotion import EMOTIONS
from talkedit_sdk.face.smooth import gaussian_mean, smoothstep
from talkedit_sdk.face.topology import BLENDSHAPES, INDEX, MIRRORED
from talkedit_sdk.motion.articulation import articulation
from talkedit_sdk.motion.mouth import closedness
from talkedit_sdk.motion.network import STYLE
from talkedit_sdk.motion.windows import RATE

_Units = dict[str, float]

# At full strength, in the middle of the styles: (both sides, what style 2 adds, what style 3 adds).
_APEX: Final[dict[str, tuple[_Units, _Units, _Units]]] = {
    "neutral": ({}, {}, {}),
    "happy": (  # 6 + 12 (+ 25): open or closed; more or less in the eyes
        {"mouthSmile": 0.85, "cheekSquint": 0.64, "eyeSquint": 0.34, "mouthDimple": 0.12, "mouthUpperUp": 0.19,
         "mouthLowerDown": 0.06, "mouthStretch": 0.06, "browOuterUp": 0.10},
        {"mouthUpperUp": 0.14, "mouthLowerDown": 0.10, "jawOpen": 0.06, "mouthDimple": -0.08},
        {"eyeSquint": 0.14, "cheekSquint": 0.20, "browOuterUp": -0.06, "mouthSmile": 0.06},
    ),
    "sad": (  # 1 + 4 + 15 + 17, lids lowered: grief or melancholy; trembling or pouting mouth
        {"browInnerUp": 0.88, "browDown": 0.22, "mouthFrown": 0.58, "mouthShrugLower": 0.34, "eyeBlink": 0.16,
         "eyeSquint": 0.10, "mouthRollLower": 0.08},
        {"browDown": 0.18, "eyeSquint": 0.16, "mouthStretch": 0.16, "eyeBlink": -0.06},
        {"mouthShrugLower": 0.20, "mouthPucker": 0.08, "mouthRollLower": 0.08, "mouthFrown": -0.10},
    ),
    "angry": (  # 4 + 5 + 7 + 23/24: lips pressed or teeth bared; narrowed or glaring eyes
        {"browDown": 0.94, "eyeSquint": 0.40, "eyeWide": 0.20, "noseSneer": 0.55, "mouthPress": 0.42,
         "mouthFrown": 0.22, "mouthShrugLower": 0.22, "jawForward": 0.22, "mouthUpperUp": 0.06,
         "mouthLowerDown": 0.12, "mouthRollUpper": 0.08},
        {"mouthPress": -0.34, "mouthShrugLower": -0.16, "mouthUpperUp": 0.20, "mouthLowerDown": 0.20,
         "noseSneer": 0.20},
        {"eyeWide": 0.22, "eyeSquint": -0.18, "browDown": -0.06},
    ),
    "surprised": (  # 1 + 2 + 5 + 26: dropped jaw; rounded lips
        {"browInnerUp": 0.84, "browOuterUp": 0.80, "eyeWide": 0.85, "jawOpen": 0.36, "mouthFunnel": 0.10},
        {"jawOpen": 0.14, "browOuterUp": 0.06},
        {"mouthFunnel": 0.14, "eyeWide": 0.08},
    ),
    "fearful": (  # 1 + 2 + 4 + 5 + 20 + 26: lips stretched; brows drawn together
        {"browInnerUp": 0.90, "browOuterUp": 0.26, "browDown": 0.38, "eyeWide": 0.80, "mouthStretch": 0.68,
         "jawOpen": 0.14, "mouthFrown": 0.20, "mouthLowerDown": 0.24},
        {"mouthStretch": 0.20, "mouthLowerDown": 0.14},
        {"browDown": 0.16, "browOuterUp": -0.14, "jawOpen": 0.06},
    ),
    "disgusted": (  # 9 + 10 + 17, 4 and 7 as helpers: gaping mouth; nose or lip
        {"noseSneer": 0.98, "browDown": 0.70, "eyeSquint": 0.50, "cheekSquint": 0.55, "mouthUpperUp": 0.66,
         "mouthFrown": 0.28, "mouthShrugLower": 0.26},
        {"jawOpen": 0.08, "mouthLowerDown": 0.22, "mouthShrugLower": -0.20},
        {"mouthUpperUp": 0.18, "mouthFrown": 0.10, "browDown": -0.12},
    ),
    "contempt": (  # 12 + 14 on one side, see below: chin up; eyes narrowed
        {"eyeSquint": 0.22, "browDown": 0.18, "eyeBlink": 0.10},
        {"mouthShrugLower": 0.20, "eyeBlink": 0.06},
        {"eyeSquint": 0.14, "browDown": 0.10},
    ),
}  # fmt: skip
_ONE_SIDE: Final[_Units] = {"mouthSmile": 0.60, "mouthDimple": 0.66, "mouthUpperUp": 0.20, "cheekSquint": 0.30}
_OTHER_SIDE: Final[_Units] = {"browOuterUp": 0.26}

# How much more each part shows on a stressed syllable than between.
_STRESS: Final[_Units] = {"brow": 0.40, "eye": 0.18, "nose": 0.28, "cheek": 0.20, "mouth": 0.14, "jaw": 0.10}
# Which share of what lasts, beyond habit, is mood rather than speech.
_MOOD: Final[_Units] = {
    "browDown": 1.0, "browInnerUp": 1.0, "browOuterUp": 1.0, "cheekSquint": 1.0, "eyeSquint": 0.8, "eyeWide": 1.0,
    "noseSneer": 1.0, "mouthSmile": 1.0, "mouthFrown": 1.0, "mouthDimple": 0.8, "mouthPress": 0.7, "mouthStretch": 0.8,
    "mouthUpperUp": 0.7, "mouthLowerDown": 0.3, "mouthShrugLower": 0.5, "mouthShrugUpper": 0.5, "mouthLeft": 0.5,
    "mouthRight": 0.5, "jawForward": 0.5,
}  # fmt: skip
_MOOD_SECONDS: Final = 0.5
_QUICK: Final = 0.25
_SOFT: Final = 0.8  # coefficient from which on expressions come up against what a face can do

# Muscles against each other: the first, where it is felt more than the second, takes from the third.
_AGAINST: Final[tuple[tuple[str, str, str, float], ...]] = (
    ("mouthFrown", "mouthSmile", "mouthSmile", 1.0),
    ("mouthSmile", "mouthFrown", "mouthFrown", 1.0),
    ("mouthSmile", "mouthFrown", "mouthShrugLower", 0.5),
    ("browDown", "browInnerUp", "browInnerUp", 0.9),
    ("browDown", "browInnerUp", "browOuterUp", 0.9),
    ("browInnerUp", "browDown", "browDown", 1.0),
    ("eyeWide", "eyeSquint", "eyeSquint", 1.0),
    ("eyeSquint", "eyeWide", "eyeWide", 1.0),
)
_UPPER: Final = ("brow", "eye", "nose", "cheek")


def _units(units: _Units, side: str = "") -> Tensor:
    row = torch.zeros(len(BLENDSHAPES))
    for name, value in units.items():
        for spelled in [name + side] if side else [name, name + "Left", name + "Right"]:
            if spelled in INDEX:
                row[INDEX[spelled]] = value
    return row


def _among(*beginnings: str) -> Tensor:
    """(52,) 1 for the coefficients whose names begin so."""
    return torch.tensor([float(name.startswith(beginnings)) for name in BLENDSHAPES])


_BASE, _FIRST, _SECOND = (torch.stack([_units(_APEX[name][part]) for name in EMOTIONS]) for part in range(3))
_RIGHT: Final = _units(_ONE_SIDE, "Right") + _units(_OTHER_SIDE, "Left")
_SIDES: Final = torch.tensor([1.0 if n.endswith("Left") else -1.0 if n.endswith("Right") else 0.0 for n in BLENDSHAPES])
_CONTEMPT: Final = EMOTIONS.index("contempt")


def apex(style: Tensor) -> Tensor:
    """(B, 8) styles -> (B, 8, 52) coefficients of each emotion, held at full strength by people of those styles.

    Style numbers: 0 the stronger side, 1 upper against lower face, 2 and 3 variants of each emotion, 4 how much speech
    moves the expression, 5 strength, 6 how lips give way to speech, 7 lids.
    """
    lean = torch.tanh(style)[:, None, :, None]
    level = _BASE + lean[:, :, 2] * _FIRST + lean[:, :, 3] * _SECOND
    right = torch.sigmoid(4 * (style[:, 0] + 0.7))[:, None]
    level[:, _CONTEMPT] += right * _RIGHT + (1 - right) * _RIGHT[list(MIRRORED)]
    upper = _among(*_UPPER)
    level = level * (1 + 0.15 * lean[:, :, 1] * (2 * upper - 1)) * (1 + 0.12 * lean[:, :, 0] * _SIDES)
    level = level * (1 + 0.12 * lean[:, :, 5]) * (1 + 0.2 * lean[:, :, 7] * _among("eyeWide", "eyeSquint"))
    return level.clamp(0, 1)


@dataclass(frozen=True)
class Speech:
    """Windows of people talking in no particular mood: coefficients (B, T, 52) and inner-lip gaps (B, T, 5)."""

    coefficients: Tensor
    gaps: Tensor


def habit(clips: list[Tensor]) -> Tensor:
    """(52,) level of lasting coefficients in half of the people who only talk; clips are (T, 52).

    Brows that sit high and narrow eyes are how somebody looks, not how somebody feels.
    """
    return torch.stack([clip.mean(0) for clip in clips]).quantile(0.5, 0)


def calmed(coefficients: Tensor, usual: Tensor) -> Tensor:
    """(B, T, 52) as tracked -> the same speech without the mood.

    What lasts for half a second or more is taken down to what is `usual` (see `habit`), and large quick motion of parts
    that do not articulate is compressed.
    """
    share = _units(_MOOD)
    calm = (coefficients - share * (smoothed(coefficients, _MOOD_SECONDS) - usual).clamp_min(0)).clamp_min(0)
    limit = usual + _QUICK
    quiet = torch.where(calm < limit, calm, limit + 0.1 * torch.tanh((calm - limit) / 0.1))
    return torch.where((share >= 0.8).expand_as(calm), quiet, calm)


def act(speech: Speech, emotion: Tensor, strength: Tensor, style: Tensor, openings: Tensor) -> Speech:
    """Acts an emotion.

    Args:
        speech: somebody calm.
        emotion: (B, T, 8) shares.
        strength: (B, T), 1 for a full expression.
        style: (B, 8).
        openings: (5, 52) inner-lip gaps per unit of each coefficient.
    """
    calm, gaps = speech.coefficients, speech.gaps
    held = emotion @ apex(style)
    parts = sum((value * _among(name) for name, value in _STRESS.items()), torch.zeros(len(BLENDSHAPES)))
    liveliness = torch.exp(0.4 * style[:, 4])[:, None, None]
    felt = held * (1 + liveliness * parts * stress(gaps)[..., None]).clamp(0.6, 1.3) * strength[..., None]
    felt = felt * _room(calm, gaps, style)
    left = _given_way(calm, felt)
    acted = left + felt
    acted = torch.where(acted < _SOFT, acted, _SOFT + (1 - _SOFT) * torch.tanh((acted - _SOFT) / (1 - _SOFT))).maximum(
        left
    )
    moved = (acted - calm) @ openings.T * (1 - contacts(gaps))
    return Speech(acted, (gaps + moved).clamp_min(0))


def _given_way(calm: Tensor, felt: Tensor) -> Tensor:
    """What the muscles that the expression pulls against leave of the source's own."""
    left = torch.ones_like(calm)
    for name, rival, loser, share in _AGAINST:
        lead = _strongest(felt, name) - _strongest(felt, rival)
        left = left * (1 - share * lead.clamp(0, 0.9) * _among(loser))
    return calm * left


def _strongest(felt: Tensor, name: str) -> Tensor:
    return felt[..., _among(name) > 0].amax(-1, keepdim=True)


def stress(gaps: Tensor) -> Tensor:
    """(B, T, 5) gaps -> (B, T) about -1 to 1: how much quicker the lips move than over the phrase."""
    opening = gaps[..., 1:4].mean(-1, keepdim=True)
    speed = (RATE / 2) * (opening.roll(-1, 1) - opening.roll(1, 1)).abs()
    speed[:, [0, -1]] = 0
    return torch.tanh((smoothed(speed, 0.13) - smoothed(speed, 0.6)) / 0.25)[..., 0]


def contacts(gaps: Tensor) -> Tensor:
    """(B, T, 5) gaps -> (B, T, 1) closures of speech, see `articulation`."""
    closed = closedness(gaps.flatten(0, 1)).view(gaps.shape[:2])
    return articulation(closed.T, *_clock(closed)).T[..., None]


def _room(calm: Tensor, gaps: Tensor, style: Tensor) -> Tensor:
    """(B, T, 52) share of an expression for which speech and blinks leave room."""
    contact = contacts(gaps)
    open_ = smoothstep(gaps[..., 1:4].mean(-1), 0.02, 0.14)[..., None]
    rounded = (calm[..., [INDEX["mouthPucker"], INDEX["mouthFunnel"]]].amax(-1, keepdim=True) / 0.6).clamp(0, 1)
    yielding = 1 + 0.3 * torch.tanh(style[:, 6])[:, None, None]
    room = 1 - (0.3 + 0.4 * _among("brow")) * calm
    room = room * (1 - yielding * 0.5 * rounded * _among("mouthSmile", "mouthDimple", "mouthStretch"))
    room = room * (1 - open_ * (_among("mouthPress", "mouthRoll") + 0.5 * _among("mouthShrugLower")))
    room = room * (1 - contact * _among("mouthUpperUp", "mouthLowerDown", "jawOpen", "mouthFunnel"))
    room = room * (1 - calm * _among("jawOpen", "eyeBlink"))
    for side in ("Left", "Right"):
        shut = smoothstep(calm[..., INDEX[f"eyeBlink{side}"]], 0.45, 0.8)[..., None]
        room = room * (1 - shut * _among(f"eyeWide{side}", f"eyeSquint{side}", f"cheekSquint{side}"))
    return room


def course(count: int, length: int, generator: torch.Generator) -> Tensor:
    """(count, length) strengths over time: half of them steady, half with onset (0.2 to 0.8 s), apex and offset (0.5 to
    2 s) somewhere in or around the window."""
    level = torch.rand(count, 1, generator=generator)
    begin, onset, hold, offset = torch.rand(4, count, 1, generator=generator)
    seconds = torch.arange(length) / RATE
    rise = begin * length / RATE * 1.5 - 1
    fall = rise + 0.2 + 0.6 * onset + 3 * hold
    up = ((seconds - rise) / (0.2 + 0.6 * onset)).clamp(0, 1)
    down = ((seconds - fall) / (0.5 + 1.5 * offset)).clamp(0, 1)
    event = (up * up * (3 - 2 * up)) * (1 - down * down * (3 - 2 * down))
    steady = torch.rand(count, 1, generator=generator) < 0.5
    return torch.where(steady, level.expand(-1, length), event * (0.4 + 0.6 * level))


def random_styles(count: int, generator: torch.Generator) -> Tensor:
    """(count, 8), a third of them the middle style, that of seed 0."""
    styles = torch.randn(count, STYLE, generator=generator).clamp(-1.8, 1.8)
    return styles * (torch.rand(count, 1, generator=generator) > 0.33)


def smoothed(values: Tensor, seconds: float) -> Tensor:
    """(B, T, C) at `RATE` -> its Gaussian mean over time."""
    mean = gaussian_mean(values.transpose(0, 1).flatten(1), *_clock(values), seconds)
    return mean.reshape(values.shape[1], len(values), -1).transpose(0, 1)


def _clock(windows: Tensor) -> tuple[Tensor, Tensor]:
    """Times and segments of (B, T, ...) windows."""
    count, device = windows.shape[1], windows.device
    return torch.arange(count, device=device) / RATE, torch.zeros(count, dtype=torch.int64, device=device)
