"""Glasses: finding their rims, and keeping the skin around them from bending them."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.functional import interpolate

from talkedit_sdk.errors import WeightsError
from talkedit_sdk.face.model import FaceModel
from talkedit_sdk.face.smooth import smoothstep
from talkedit_sdk.face.topology import BROW_LEFT, BROW_RIGHT, EYE_LEFT, EYE_RIGHT, VERTICES
from talkedit_sdk.render.raster_numba import NumbaRasterizer
from talkedit_sdk.weights_files import read_tensors

HEIGHT: Final = 64
WIDTH: Final = 128
SCALE: Final = 80.0
"""Pixels of a view per model unit."""

FILE: Final = "glasses.safetensors"
_MAX_BYTES: Final = 4 * 2**20
_ABOVE: Final = 0.45  # share of a view over the eyes
_MOST: Final = 16  # views of a person
_ANCHORS: Final = (33, 133, 362, 263, 168, 6, 197, 195)
_WORN: Final = (0.80, 0.93)  # probability at which glasses begin to count, and do
_RIM: Final = (0.30, 0.55)  # the same for a place of being rim
_SEEN: Final = 0.6  # quantile over the views: rims stand out from the face and shift against it as the head turns
_NEAR: Final = (0.02, 0.09)  # model units from a rim: nothing moves, all does
_LASHES: Final = (0.03, 0.07)  # model units from the margins of the lids where lashes look like rims, and no more
_BROW: Final = 0.12  # model units around a brow that is held back


class EyeFrame:
    """Where in a picture the surroundings of both eyes are, seen as from the front."""

    def __init__(self, model: FaceModel) -> None:
        mean = model.mean.cpu().numpy()[:, :2]
        centre = mean[list(EYE_RIGHT + EYE_LEFT)].mean(0)
        self.points: NDArray[np.float32] = ((mean - centre) * SCALE + (WIDTH / 2, HEIGHT * _ABOVE)).astype(np.float32)
        """(468, 2) pixels of a view in which the vertices of the mean face lie."""
        self._solve = np.linalg.pinv(_homogeneous(self.points[list(_ANCHORS)]))

    def place(self, vertices: NDArray[np.float32]) -> NDArray[np.float32]:
        """(468, 3) neutral face of somebody, any units -> (468, 2) pixels of a view in which the vertices lie."""
        anchored = _homogeneous(vertices[list(_ANCHORS), :2])
        matrix = np.linalg.pinv(anchored) @ self.points[list(_ANCHORS)]
        return np.asarray(_homogeneous(vertices[:, :2]) @ matrix, np.float32)

    def view(self, rgb: NDArray[np.uint8], landmarks: NDArray[np.float32]) -> NDArray[np.uint8] | None:
        """(H, W, 3) frame and (478, 3) landmarks -> (64, 128, 3) uint8, the edges of the frame repeated beyond it; None
        where it does not show them."""
        matrix = (self._solve @ landmarks[list(_ANCHORS), :2]).T
        shrink = max(1, int(np.sqrt(abs(np.linalg.det(matrix[:, :2])))))
        corners = matrix[:, :2] @ np.array([[0, WIDTH, 0, WIDTH], [0, 0, HEIGHT, HEIGHT]]) + matrix[:, 2:]
        low = (corners.min(1).astype(int) - 2 * shrink).clip(0)
        width, height = (np.minimum(corners.max(1).astype(int) + 3 * shrink, rgb.shape[1::-1]) - low) // shrink
        if width < 1 or height < 1:
            return None
        part = rgb[low[1] : low[1] + height * shrink, low[0] : low[0] + width * shrink]
        if shrink > 1:
            part = np.asarray(cv2.resize(part, (int(width), int(height)), interpolation=cv2.INTER_AREA), np.uint8)
        matrix[:, 2] -= low + (shrink - 1) / 2
        matrix /= shrink
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        view = cv2.warpAffine(part, matrix, (WIDTH, HEIGHT), flags=flags, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(view, np.uint8)


class EyeViews:
    """At most 16 views of one person's eyes, spread over all that were offered."""

    def __init__(self, frame: EyeFrame) -> None:
        self._frame, self._kept = frame, list[NDArray[np.uint8]]()
        self._offered, self._step = 0, 1

    def add(self, rgb: NDArray[np.uint8], landmarks: NDArray[np.float32]) -> None:
        """Looks at one face in a (H, W, 3) frame."""
        if self._offered % self._step == 0 and (view := self._frame.view(rgb, landmarks)) is not None:
            self._kept.append(view)
            if len(self._kept) > _MOST:
                self._kept, self._step = self._kept[::2], 2 * self._step
        self._offered += 1

    def merge(self, other: EyeViews) -> EyeViews:
        """Views of both, which show the same person."""
        merged = EyeViews(self._frame)
        together = self._kept + other._kept
        merged._kept = together[:: -(-len(together) // _MOST) or 1]
        return merged

    @property
    def views(self) -> NDArray[np.uint8]:
        """(K, 64, 128, 3)."""
        return np.stack(self._kept) if self._kept else np.zeros((0, HEIGHT, WIDTH, 3), np.uint8)


class RimFinder:
    """Tells how much of its motion each vertex keeps under the glasses of a person."""

    def __init__(self, model: FaceModel, net: RimNet) -> None:
        self._net, self._device, self._frame = net, model.device, EyeFrame(model)
        self._triangles = model.triangles.cpu().numpy()
        rows, columns = torch.meshgrid(torch.arange(HEIGHT // 2), torch.arange(WIDTH // 2), indexing="ij")
        self._places = torch.stack([columns, rows], -1).flatten(0, 1) * 2 + 0.5

    def keep(self, views: NDArray[np.uint8] | None, neutral: Tensor) -> Tensor:
        """What glasses leave of an edit's motion.

        Args:
            views: (K, 64, 128, 3) uint8 of one person, as from `EyeViews`; None or none where nobody looked.
            neutral: (468, 3) the person's face at rest.

        Returns:
            (468,) in [0, 1]: 0 on rims, bridge and temples, 1 away from them, everywhere if there are none.
        """
        rims = None if views is None or len(views) == 0 else self._rims(views)
        if rims is None or not bool((rims > 0).any()):
            return torch.ones(VERTICES, device=self._device)
        points = self._frame.place(neutral.detach().cpu().float().numpy())
        placed = torch.from_numpy(points)
        margins = placed[list(EYE_RIGHT + EYE_LEFT)]
        rims = rims * smoothstep(torch.cdist(self._places, margins).amin(1) / SCALE, *_LASHES)
        near = 1 - smoothstep(torch.cdist(placed, self._places) / SCALE, *_NEAR)
        keep = 1 - torch.maximum((near * rims).amax(1), self._under(rims, points))
        for brow in (BROW_RIGHT, BROW_LEFT):
            # A brow moves as a whole, or it would be torn where it goes behind the rim.
            distance = torch.cdist(placed, placed[list(brow)]).amin(1) / SCALE
            keep = torch.minimum(keep, 1 - (1 - keep[list(brow)].mean()) * torch.exp(-0.5 * (distance / _BROW) ** 2))
        return keep.to(self._device)

    def _rims(self, views: NDArray[np.uint8]) -> Tensor:
        """(32 * 64,) how surely there is rim, in [0, 1]."""
        with torch.inference_mode():
            rims, worn = (logits.sigmoid() for logits in self._net(normalised(torch.from_numpy(np.array(views)))))
        return smoothstep(rims.quantile(_SEEN, dim=0).flatten(), *_RIM) * smoothstep(worn.median(), *_WORN)

    def _under(self, rims: Tensor, points: NDArray[np.float32]) -> Tensor:
        """(468,) how surely there is rim over one of the triangles around each vertex: what it moves, they move."""
        corners = np.concatenate([(points - 0.5) / 2, np.zeros_like(points[:, :1])], 1)
        face = NumbaRasterizer().rasterize(corners[None], self._triangles, (HEIGHT // 2, WIDTH // 2)).face_index[0]
        inside = face.ravel() >= 0
        vertices = torch.from_numpy(self._triangles[face.ravel()[inside]].astype(np.int64))
        covering = rims[torch.from_numpy(inside)][:, None].expand(-1, 3)
        return torch.zeros(VERTICES).scatter_reduce(0, vertices.flatten(), covering.flatten(), "amax")


class RimNet(nn.Module):
    """A small U-shaped net: where in a view rims of glasses are, and whether there are any."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = _block(3, 12, 1)
        self.down = nn.ModuleList([_block(12, 24, 2), _block(24, 32, 2), _block(32, 48, 2), _block(48, 64, 2)])
        self.up = nn.ModuleList([_block(64 + 48, 48, 1), _block(48 + 32, 32, 1), _block(32 + 24, 24, 1)])
        self.rims = nn.Conv2d(24, 1, 1)
        self.worn = nn.Linear(2 * 64, 1)

    def forward(self, views: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 3, 64, 128) from `normalised` -> logits (B, 1, 32, 64) of rims and (B,) of glasses."""
        levels = [self.stem(views)]
        for block in self.down:
            levels.append(block(levels[-1]))
        deep = levels.pop()
        worn = self.worn(torch.cat([deep.mean((2, 3)), deep.amax((2, 3))], 1))[:, 0]
        for block in self.up:
            finer = levels.pop()
            deep = block(torch.cat([interpolate(deep, scale_factor=2.0, mode="nearest"), finer], 1))
        return self.rims(deep), worn

    def save(self, folder: Path) -> None:
        """Writes `glasses.safetensors`, half precision."""
        state = self.state_dict().items()
        save_file({name: value.half() for name, value in state if value.is_floating_point()}, folder / FILE)

    @classmethod
    def load(cls, folder: Path) -> RimNet:
        """Reads what `save` wrote.

        Raises:
            WeightsError: the file is missing, damaged, or too large.
        """
        path, net = folder / FILE, cls()
        state = {name: value.float() for name, value in read_tensors(path, "rim finder", _MAX_BYTES).items()}
        sound = all(bool(torch.isfinite(value).all()) for value in state.values())
        try:
            missing, unknown = net.load_state_dict(state, strict=False)
        except RuntimeError as error:
            raise WeightsError(f"The rim finder at {path} is incomplete ({error}); reinstall talkedit.") from None
        if not sound or unknown or any(not name.endswith("num_batches_tracked") for name in missing):
            raise WeightsError(f"The rim finder at {path} is damaged; reinstall talkedit.")
        return net.eval()


def _homogeneous(points: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.concatenate([points, np.ones_like(points[:, :1])], 1)


def _block(into: int, out: int, stride: int) -> nn.Sequential:
    convolution = nn.Conv2d(into, out, 3, stride, 1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(out), nn.SiLU())


def normalised(views: Tensor) -> Tensor:
    """(B, 64, 128, 3) uint8 -> (B, 3, 64, 128) float32 of mean 0 and deviation 1 in each view."""
    light = views.permute(0, 3, 1, 2).float()
    deviation, mean = torch.std_mean(light, (1, 2, 3), keepdim=True)
    return (light - mean) / (deviation + 4)
