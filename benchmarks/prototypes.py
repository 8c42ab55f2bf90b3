"""Emotions as mixtures of coefficients: the hand-set baseline.

Combinations of action units after Ekman & Friesen's EMFACS and *Facial Action Coding System* (2002), in the names of
the ARKit blendshapes that carry each unit.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from talkedit_sdk.emotion import EMOTIONS
from talkedit_sdk.face.topology import BLENDSHAPES, INDEX

_BOTH: Final[dict[str, dict[str, float]]] = {
    "neutral": {},
    "happy": {  # 6 + 12 (+ 25)
        "mouthSmile": 0.80, "cheekSquint": 0.60, "eyeSquint": 0.40, "mouthDimple": 0.15, "mouthUpperUp": 0.18,
        "browOuterUp": 0.10,
    },
    "sad": {  # 1 + 4 + 15 + 17, lids lowered
        "browInnerUp": 0.85, "browDown": 0.20, "mouthFrown": 0.55, "mouthShrugLower": 0.40, "eyeBlink": 0.16,
        "eyeSquint": 0.12, "mouthRollLower": 0.08,
    },
    "angry": {  # 4 + 5 + 7 + 23/24
        "browDown": 1.00, "eyeSquint": 0.45, "eyeWide": 0.15, "noseSneer": 0.50, "mouthPress": 0.55, "mouthFrown": 0.32,
        "mouthShrugLower": 0.35, "jawForward": 0.30, "mouthRollUpper": 0.15,
    },
    "surprised": {  # 1 + 2 + 5 + 26
        "browInnerUp": 0.90, "browOuterUp": 0.85, "eyeWide": 0.80, "jawOpen": 0.28, "mouthFunnel": 0.10,
    },
    "fearful": {  # 1 + 2 + 4 + 5 + 20 + 26
        "browInnerUp": 0.90, "browOuterUp": 0.30, "browDown": 0.35, "eyeWide": 0.75, "mouthStretch": 0.60,
        "jawOpen": 0.12, "mouthFrown": 0.18, "mouthLowerDown": 0.20,
    },
    "disgusted": {  # 9 + 10 + 17, 4 and 7 as helpers
        "noseSneer": 1.00, "browDown": 0.70, "eyeSquint": 0.50, "cheekSquint": 0.55, "mouthUpperUp": 0.70,
        "mouthFrown": 0.35, "mouthShrugLower": 0.35,
    },
    "contempt": {"eyeSquint": 0.22, "browDown": 0.22, "eyeBlink": 0.10},  # and 12 + 14 on one side
}  # fmt: skip

_ONE_SIDE: Final[dict[str, dict[str, float]]] = {
    "contempt": {
        "mouthSmileRight": 0.42, "mouthDimpleRight": 0.50, "mouthUpperUpRight": 0.12, "cheekSquintRight": 0.30,
        "browOuterUpLeft": 0.25,
    },
}  # fmt: skip

# How much of a lasting expression of the speaker is taken out before the target is put in. Speech itself keeps the
# mouth off its rest, so coefficients that articulate give up less.
_LASTING: Final[dict[str, float]] = {
    "browDown": 1.0, "browInnerUp": 1.0, "browOuterUp": 1.0, "cheekSquint": 1.0, "eyeSquint": 0.5, "eyeWide": 1.0,
    "noseSneer": 1.0, "mouthSmile": 1.0, "mouthFrown": 1.0, "mouthDimple": 0.8, "mouthPress": 0.7, "mouthStretch": 0.6,
    "mouthUpperUp": 0.4, "mouthShrugLower": 0.5, "mouthShrugUpper": 0.5, "mouthLeft": 0.5, "mouthRight": 0.5,
    "jawForward": 0.5,
}  # fmt: skip


def targets() -> Tensor:
    """(8, 52) coefficients of a held expression of each emotion at intensity 1."""
    return torch.stack([_row(_BOTH[name], _ONE_SIDE.get(name, {})) for name in EMOTIONS])


def lasting() -> Tensor:
    """(52,) share of the source's own lasting expression that is taken out at intensity 1."""
    return _row(_LASTING, {})


def _row(both: dict[str, float], one_side: dict[str, float]) -> Tensor:
    row = torch.zeros(len(BLENDSHAPES))
    for name, value in both.items():
        for spelled in (name, name + "Left", name + "Right"):
            if spelled in INDEX:
                row[INDEX[spelled]] = value
    for name, value in one_side.items():
        row[INDEX[name]] = value
    return row
