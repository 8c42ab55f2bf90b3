"""The learned motion editor: the network over a whole clip, and exact lips behind it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import torch
from safetensors.torch import save_file
from torch import Tensor

from talkedit_sdk.errors import WeightsError
from talkedit_sdk.face.model import FaceModel
from talkedit_sdk.face.smooth import gaussian_mean, smoothstep
from talkedit_sdk.face.topology import BLENDSHAPES, INDEX, LIP_PAIRS
from talkedit_sdk.motion.articulation import articulation
from talkedit_sdk.motion.mouth import LipProjection, closedness
from talkedit_sdk.motion.network import MotionNetwork, changed, style_code
from talkedit_sdk.motion.types import MotionEdit, MotionRequest
from talkedit_sdk.motion.windows import WINDOW, average, even_times, interpolate, window_starts
from talkedit_sdk.weights_files import read_config, read_tensors

FILE: Final = "motion.safetensors"
FORMAT: Final = 1
_MAX_BYTES: Final = 16 * 2**20
_WINDOWS: Final = 16  # looked at together
_EDIT_SIGMA: Final = 0.07  # seconds; of the change, quicker than any expression
_FIRM: Final = 3  # the network gives the share of the mouth weight; the hold behind it makes the last of it exact
_WIDE: Final = [INDEX["eyeWideLeft"], INDEX["eyeWideRight"]]
_BLINK: Final = [INDEX["eyeBlinkLeft"], INDEX["eyeBlinkRight"]]
_SHUT: Final = (0.75, 0.35)  # of a lid, from where nothing widens the eye, and to where all does
_CLOSURE: Final = 0.9  # how firmly closures of speech are held even when the mouth is free


class LearnedEditor:
    """Emotions as learned; see `MotionEditor` for the interface."""

    def __init__(self, model: FaceModel, network: MotionNetwork) -> None:
        self._network = network.to(model.device).eval()
        self._project = LipProjection(model)

    @classmethod
    def load(cls, folder: Path, model: FaceModel) -> LearnedEditor:
        """Reads `motion.safetensors` and `motion.json`.

        Raises:
            WeightsError: files are missing, damaged, too large, or of another format.
        """
        return cls(model, load_network(folder))

    @torch.no_grad()
    def edit(self, request: MotionRequest) -> MotionEdit:
        """Edits a clip; frames of intensity 0 come back untouched."""
        before, strength = request.coefficients, request.intensity
        change = torch.zeros_like(before)
        for label in set(request.segments.tolist()):
            rows = request.segments == label
            change[rows] = self._change(request, rows)
        held = self._hold(request)
        edited = self._project(before, (before + change).clamp(0, 1), _openings_only(held))
        smooth = gaussian_mean(edited - before, request.times, request.segments, _EDIT_SIGMA)
        smooth[:, _WIDE] *= smoothstep(before[:, _BLINK], *_SHUT)
        edited = torch.where(strength[:, None] > 0, (before + smooth).clamp(0, 1), before)
        return MotionEdit(edited, held)

    def _change(self, request: MotionRequest, rows: Tensor) -> Tensor:
        """(N, 52) what to add to the frames `rows` of one segment."""
        times = request.times[rows]
        even = even_times(times)
        beta, gaps, emotion, strength = (
            interpolate(values[rows], times, even)
            for values in (request.coefficients, request.lip_gaps, request.emotion, request.intensity[:, None])
        )
        starts = window_starts(len(even))
        pieces = [
            self._look(request, beta, gaps, emotion, strength, starts[first : first + _WINDOWS])
            for first in range(0, len(starts), _WINDOWS)
        ]
        found = interpolate(average(torch.cat(pieces), starts, len(even)), even, times).reshape(len(times), 2, -1)
        return changed(request.coefficients[rows], found, request.intensity[rows]) - request.coefficients[rows]

    def _look(
        self, request: MotionRequest, beta: Tensor, gaps: Tensor, emotion: Tensor, strength: Tensor, starts: list[int]
    ) -> Tensor:
        """(W, L, 104) what the network says of the windows at `starts`."""
        length, device = min(WINDOW, len(beta)), beta.device
        rows = torch.tensor(starts, device=device)[:, None] + torch.arange(length, device=device)
        count = len(starts)
        weight = torch.full((count,), request.mouth_weight, device=device)
        style = style_code(request.style).to(device).expand(count, -1)
        found: Tensor = self._network(beta[rows], gaps[rows], emotion[rows], strength[rows][..., 0], weight, style)
        return found.flatten(2)

    def _hold(self, request: MotionRequest) -> Tensor:
        """(T,) how firmly the openings of the lips are kept: as asked for, closures of speech always."""
        closed = closedness(request.lip_gaps)
        contact = articulation(closed[:, None], request.times, request.segments)[:, 0]
        firm = request.mouth_weight ** (_FIRM - (_FIRM - 0.4) * closed)
        return 1 - (1 - firm) * (1 - _CLOSURE * contact)


def _openings_only(held: Tensor) -> Tensor:
    """(T,) hold -> (T, 8) of all lip features: the network itself keeps the motion of width, protrusion and lift."""
    return torch.nn.functional.pad(held[:, None].expand(-1, len(LIP_PAIRS)), (0, 3))


def save_network(network: MotionNetwork, folder: Path, summary: dict[str, object]) -> None:
    """Writes `motion.safetensors` (half precision) and `motion.json` into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file(
        {name: value.half().contiguous().cpu() for name, value in network.state_dict().items()},
        folder / FILE,
    )
    config = {"format": FORMAT, "blendshapes": list(BLENDSHAPES), **summary}
    (folder / "motion.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def load_network(folder: Path) -> MotionNetwork:
    """Reads what `save_network` wrote; errors as `LearnedEditor.load`."""
    read_config(folder / "motion.json", "motion editor", FORMAT)
    tensors = read_tensors(folder / FILE, "motion editor", _MAX_BYTES)
    network = MotionNetwork()
    try:
        network.load_state_dict({name: value.float() for name, value in tensors.items()}, strict=True)
    except RuntimeError as error:
        raise WeightsError(f"The motion editor in {folder} is incomplete ({error}); reinstall talkedit.") from None
    if not all(bool(torch.isfinite(value).all()) for value in network.parameters()):
        raise WeightsError(f"The motion editor in {folder} is damaged; reinstall talkedit.")
    return network.eval()
