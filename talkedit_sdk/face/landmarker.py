"""FaceMesh with attention on a given region: 478 landmarks, and whether there is a face at all.

The network is the one behind mediapipe's FaceMesh solution (Kartynnik et al. 2019, Grishchenko et al. 2020), run
without the solution's own detector and tracker, so that any number of faces can be followed, in regions we choose.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from talkedit_sdk.face.graph import Graph
from talkedit_sdk.face.region import Patch, Region
from talkedit_sdk.face.track import LANDMARKS

_INPUT = 192
_CONFIG = """
input_stream: "image"
output_stream: "landmarks"
output_stream: "presence"
node {
  calculator: "ImageToTensorCalculator"
  input_stream: "IMAGE:image"
  output_stream: "TENSORS:input"
  options { [mediapipe.ImageToTensorCalculatorOptions.ext] {
    output_tensor_width: 192 output_tensor_height: 192 output_tensor_float_range { min: 0 max: 1 } } }
}
node { calculator: "TfLiteCustomOpResolverCalculator" output_side_packet: "OP_RESOLVER:operations" }
node {
  calculator: "InferenceCalculator"
  input_stream: "TENSORS:input"
  input_side_packet: "OP_RESOLVER:operations"
  output_stream: "TENSORS:output"
  options { [mediapipe.InferenceCalculatorOptions.ext] {
    model_path: "mediapipe/modules/face_landmark/face_landmark_with_attention.tflite" delegate { xnnpack {} } } }
}
node {
  calculator: "SplitTensorVectorCalculator"
  input_stream: "output"
  output_stream: "parts"
  output_stream: "flag"
  options { [mediapipe.SplitVectorCalculatorOptions.ext] { ranges { begin: 0 end: 6 } ranges { begin: 6 end: 7 } } }
}
node {
  calculator: "TensorsToFloatsCalculator"
  input_stream: "TENSORS:flag"
  output_stream: "FLOAT:presence"
  options { [mediapipe.TensorsToFloatsCalculatorOptions.ext] { activation: SIGMOID } }
}
node {
  calculator: "TensorsToFaceLandmarksWithAttention"
  input_stream: "TENSORS:parts"
  output_stream: "LANDMARKS:landmarks"
}
"""

# Two looks at slightly different size and roll, averaged: a third less jitter than one (see `_look`).
_VIEWS = ((0.95, -0.06), (1.05, 0.06))
_MAX_LOOKS = 3
_SETTLED = 0.08
_UNSETTLED = 0.25


@dataclass(frozen=True)
class Sighting:
    """A face in one frame.

    Members:
        landmarks: (478, 3) float64 pixels, z away from the camera in the same scale.
        presence: probability in [0, 1] that there is a face.
        spread: how far the two looks disagree, root mean square over the landmarks, relative to the side looked at.
        region: what frames the landmarks.
    """

    landmarks: NDArray[np.float64]
    presence: float
    spread: float
    region: Region

    @property
    def confidence(self) -> float:
        """In [0, 1]. Faces that are seen well have a spread of 0.005 to 0.02, things that are none 0.035 and more."""
        return self.presence * math.exp(-((self.spread / 0.03) ** 2))


class Landmarker:
    """Finds the landmarks of a face whose region is roughly known.

    Raises:
        WeightsError: mediapipe or its models are missing or damaged.
    """

    def __init__(self) -> None:
        self._graph = Graph(_CONFIG, {"landmarks": "get_proto", "presence": "get_float"}, warm_up=_INPUT)

    def locate(self, rgb: NDArray[np.uint8], region: Region) -> Sighting | None:
        """Looks again where the landmarks say the face is until both agree; None where there is no face.

        rgb: (H, W, 3). A face that is being followed takes one look, fast motion and detected boxes take more.
        """
        for _ in range(_MAX_LOOKS):
            looked, sighting = region, self._look(rgb, region)
            region = sighting.region
            if sighting.presence < 0.5 or not 0.4 < region.side / looked.side < 2.5:
                return None
            if looked.agrees(region, _SETTLED):
                return sighting
        return sighting if looked.agrees(region, _UNSETTLED) else None

    def _look(self, rgb: NDArray[np.uint8], region: Region) -> Sighting:
        looks = []
        patch = Patch(rgb, region, _INPUT)
        presence = 1.0
        for scale, roll in _VIEWS:
            view = Region(region.x, region.y, region.side * scale, region.roll + roll)
            answer = self._graph(patch.crop(view, _INPUT))
            points = np.array([(p.x, p.y, p.z) for p in answer["landmarks"].landmark])
            matrix = view.matrix(_INPUT)
            # The network's 0..1 spans the crop from edge to edge, pixels are counted from the centre of the first one.
            points[:, :2] = (points[:, :2] * _INPUT - 0.5) @ matrix[:, :2].T + matrix[:, 2]
            points[:, 2] *= view.side
            looks.append(points)
            presence = min(presence, float(answer["presence"]))
        first, second = looks
        spread = float(np.sqrt(((first - second)[:, :2] ** 2).sum(axis=1).mean())) / region.side
        landmarks = (first + second) / 2
        assert landmarks.shape == (LANDMARKS, 3)
        return Sighting(landmarks, presence, spread, Region.around(landmarks))
