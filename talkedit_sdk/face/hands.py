"""Hands near faces: mediapipe's palm detector and hand landmarks (Zhang et al., *MediaPipe Hands*, 2020)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Final

import numpy as np
from numpy.typing import NDArray

from talkedit_sdk.face.graph import Graph, silence
from talkedit_sdk.face.region import Patch, Region

HANDS: Final = 2
HAND_POINTS: Final = 21
"""Landmarks of a hand: the wrist, then four of each finger from the root to the tip, beginning with the thumb."""

_INPUT = 256
_REACH = 1.6  # of a face's region: hands further away do not cover it within the next tenths of a second
_NEAR = 0.6  # of a face's region from its centre: such a hand is followed from frame to frame
_MEMORY = 0.3  # seconds for which one that was near is looked for in every frame
_INTERVAL = 0.15  # seconds between looks for hands otherwise
_LONGEST_WAIT = 8  # frames, for those whose times cannot be believed
_CONFIG = f"""
input_stream: "image"
output_stream: "hands"
node {{
  calculator: "ConstantSidePacketCalculator"
  output_side_packet: "PACKET:0:most"
  output_side_packet: "PACKET:1:complexity"
  output_side_packet: "PACKET:2:follow"
  options {{ [mediapipe.ConstantSidePacketCalculatorOptions.ext] {{
    packet {{ int_value: {HANDS} }} packet {{ int_value: 0 }} packet {{ bool_value: true }} }} }}
}}
node {{
  calculator: "HandLandmarkTrackingCpu"
  input_stream: "IMAGE:image"
  input_side_packet: "NUM_HANDS:most"
  input_side_packet: "MODEL_COMPLEXITY:complexity"
  input_side_packet: "USE_PREV_LANDMARKS:follow"
  output_stream: "LANDMARKS:hands"
}}
"""


class HandFinder:
    """Finds the hands around the faces of a clip. Looks all the time while one is near, now and then otherwise.

    Raises:
        WeightsError: mediapipe or its models are missing or damaged.
    """

    def __init__(self) -> None:
        self._graph = Graph(_CONFIG, {"hands": "get_proto_list"}, warm_up=_INPUT)
        self._greeted = False
        self.forget()

    def forget(self) -> None:
        """To be called before a new clip and at cuts: nothing is where it was."""
        self._graph(np.zeros((_INPUT, _INPUT, 3), np.uint8))
        self._near, self._last, self._waited = -math.inf, -math.inf, 0

    def find(self, rgb: NDArray[np.uint8], time: float, faces: Sequence[Region]) -> NDArray[np.float32]:
        """The hands of one frame, frames in order.

        Args:
            rgb: (H, W, 3).
            time: seconds.
            faces: where the faces are.

        Returns:
            (2, 21, 2) pixels, NaN for hands that are not there or were not looked for.
        """
        found = np.full((HANDS, HAND_POINTS, 2), np.nan, np.float32)
        self._waited += 1
        expected = 0 <= time - self._near <= _MEMORY
        if not faces or not (expected or time - self._last >= _INTERVAL or self._waited >= _LONGEST_WAIT):
            return found
        self._last, self._waited = time, 0
        window = _around(faces)
        with nullcontext() if self._greeted else silence():  # the graph greets its first hand with a warning
            seen = self._graph(Patch(rgb, window, _INPUT).crop(window, _INPUT)).get("hands", [])
        self._greeted = self._greeted or bool(seen)
        matrix = window.matrix(_INPUT)
        for row, hand in zip(found, seen, strict=False):
            points = np.array([(p.x, p.y) for p in hand.landmark]) * _INPUT - 0.5
            row[:] = points @ matrix[:, :2].T + matrix[:, 2]
        centres = np.array([(face.x, face.y) for face in faces])
        away = np.linalg.norm(found[:, :, None] - centres, axis=-1)
        if bool((away < _NEAR * np.array([face.side for face in faces])).any()):
            self._near = time
        return found


def _around(faces: Sequence[Region]) -> Region:
    """The upright square that holds all faces and what is in reach of them."""
    low = np.min([(face.x - _REACH * face.side / 2, face.y - _REACH * face.side / 2) for face in faces], axis=0)
    high = np.max([(face.x + _REACH * face.side / 2, face.y + _REACH * face.side / 2) for face in faces], axis=0)
    x, y = (low + high) / 2
    return Region(float(x), float(y), float((high - low).max()))
