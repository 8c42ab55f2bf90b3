"""Fixed facts about the face mesh: names of the coefficients, contours and regions in FaceMesh vertex numbers.

Left and right are the person's own. Contours are closed loops in order around the opening or outline.
"""

from __future__ import annotations

from typing import Final

VERTICES: Final = 468
"""Vertices of the face surface: the first 468 FaceMesh landmarks."""

BLENDSHAPES: Final[tuple[str, ...]] = (
    "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight",
    "cheekPuff", "cheekSquintLeft", "cheekSquintRight",
    "eyeBlinkLeft", "eyeBlinkRight", "eyeLookDownLeft", "eyeLookDownRight", "eyeLookInLeft", "eyeLookInRight",
    "eyeLookOutLeft", "eyeLookOutRight", "eyeLookUpLeft", "eyeLookUpRight", "eyeSquintLeft", "eyeSquintRight",
    "eyeWideLeft", "eyeWideRight",
    "jawForward", "jawLeft", "jawOpen", "jawRight",
    "mouthClose", "mouthDimpleLeft", "mouthDimpleRight", "mouthFrownLeft", "mouthFrownRight", "mouthFunnel",
    "mouthLeft", "mouthLowerDownLeft", "mouthLowerDownRight", "mouthPressLeft", "mouthPressRight", "mouthPucker",
    "mouthRight", "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper",
    "mouthSmileLeft", "mouthSmileRight", "mouthStretchLeft", "mouthStretchRight",
    "mouthUpperUpLeft", "mouthUpperUpRight",
    "noseSneerLeft", "noseSneerRight", "tongueOut",
)  # fmt: skip
"""The 52 ARKit blendshapes, in the order of every coefficient array."""

INDEX: Final[dict[str, int]] = {name: index for index, name in enumerate(BLENDSHAPES)}

OVAL: Final = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip
"""Outline of the mesh, clockwise in the picture from the top of the forehead."""

LIPS_OUTER: Final = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146)
LIPS_INNER: Final = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95)
"""Lip contours, from the right corner over the upper lip to the left corner and back; equal positions face each
other.
"""

EYE_RIGHT: Final = (33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7)
EYE_LEFT: Final = (263, 466, 388, 387, 386, 385, 384, 398, 362, 382, 381, 380, 374, 373, 390, 249)
"""Lid margins, from the outer corner over the upper lid to the inner corner and back."""

IRIS_RIGHT: Final = (468, 469, 470, 471, 472)
IRIS_LEFT: Final = (473, 474, 475, 476, 477)
"""Iris landmarks: the centre, then four points of its outline."""

BROW_RIGHT: Final = (70, 63, 105, 66, 107, 55, 65, 52, 53, 46)
BROW_LEFT: Final = (300, 293, 334, 296, 336, 285, 295, 282, 283, 276)

OUTER_EYE_CORNERS: Final = (33, 263)
"""Their distance on the mean neutral face is the unit of length of the face model."""

RIGID: Final = (
    168, 6, 197, 195, 5, 4, 33, 133, 362, 263, 10, 151, 9, 8, 127, 356, 162, 389, 21, 251, 54, 284, 103, 332, 67, 297,
    109, 338,
)  # fmt: skip
"""Vertices that expressions hardly move: nose bridge, eye corners, forehead, temples."""

BONE: Final = (168, 6, 197, 195, 33, 133, 362, 263, 127, 356, 162, 389, 21, 251, 54, 284, 234, 454)
"""Vertices over bone that no expression moves by much: nose bridge, eye corners, temples, ears. Unlike `RIGID` without
the middle of the forehead, which goes up with the brows."""

LIP_PAIRS: Final = ((81, 178), (82, 87), (13, 14), (312, 317), (311, 402))
"""Inner-lip vertices that face each other, upper and lower, from right to left."""

MOUTH_CORNERS: Final = (61, 291)

FOREHEAD: Final = 10
CHIN: Final = 152
"""Top and bottom of the outline; their distance is the height of the face."""


def mirrored_name(name: str) -> str:
    """Name of the blendshape on the other side of the face, itself if it has no side."""
    if name.endswith("Left"):
        return name[:-4] + "Right"
    if name.endswith("Right"):
        return name[:-5] + "Left"
    return name


MIRRORED: Final = tuple(INDEX[mirrored_name(name)] for name in BLENDSHAPES)
"""For each coefficient the index of the one on the other side."""
