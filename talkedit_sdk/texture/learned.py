"""The learned texture editor: what a person's skin looks like, and what changes of it with expression."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from talkedit_sdk.errors import WeightsError
from talkedit_sdk.face.model import FaceModel
from talkedit_sdk.face.topology import BLENDSHAPES
from talkedit_sdk.texture.creases import CreaseFinder, Creases
from talkedit_sdk.texture.encoder import Encoder
from talkedit_sdk.texture.latent import LatentEditor
from talkedit_sdk.texture.network import LATENT, RESOLUTIONS, Generator, MappingNetwork
from talkedit_sdk.texture.skin import SkinMap
from talkedit_sdk.texture.types import Change, TextureEditor
from talkedit_sdk.texture.wrinkles import WrinkleRenderer
from talkedit_sdk.weights_files import read_config, read_tensors

FILE: Final = "texture.safetensors"
FORMAT: Final = 1
_MAX_BYTES: Final = 16 * 2**20
_BATCH: Final = 16  # textures made together
_MOST: Final = 1.2  # largest logarithm of a factor, approached softly


class TextureNetwork(nn.Module):
    """Generator, encoder and latent editor, which belong together.

    Args:
        resolution: side N of the textures that are made, one of `RESOLUTIONS`.

    Members beyond the networks:
        mean: (D,) code of nobody.
        share: (N, N) in [0, 1], how much of a change is believed, texel by texel; 0 where the layout of the face has
            nothing.
    """

    def __init__(self, resolution: int) -> None:
        super().__init__()
        self.generator = Generator(resolution)
        self.mapping = MappingNetwork()
        self.encoder = Encoder(self.generator.layers)
        self.editor = LatentEditor(self.generator.layers)
        self.register_buffer("mean", torch.zeros(LATENT))
        self.register_buffer("share", torch.ones(resolution, resolution))

    def spread(self, codes: Tensor) -> Tensor:
        """(B, D) codes, as of `mapping` -> (B, L, D), the same for all layers."""
        return codes[:, None].expand(-1, self.generator.layers, -1)

    def assembled(self, base: Tensor, offsets: Tensor) -> Tensor:
        """What the encoder found -> (B, L, D)."""
        return self.spread(torch.as_tensor(self.mean) + base) + nn.functional.pad(offsets, (0, 0, 1, 0))

    def moved(self, w: Tensor, own: Tensor, coefficients: Tensor, light: Tensor) -> Tensor:
        """Codes of a person making another face.

        Args:
            w: (B, L, D) of the person, making the face `own` (B, 52).
            own, coefficients: (B, 52) of that face and of the other.
            light: (B, 3).
        """
        there, here = self.editor(torch.cat([w, w]), torch.cat([coefficients, own]), torch.cat([light, light])).chunk(2)
        moved: Tensor = w + there - here
        return moved


@dataclass(frozen=True)
class LearnedChange:
    """How the skin of one person changes: as folds are `rendered` for it, as those that it shows go (`creases`), and as
    the network knows beyond that from the mean codes (1, L, D) and coefficients (1, 52) of what was seen of it."""

    network: TextureNetwork
    w: Tensor
    own: Tensor
    rendered: Change
    creases: Creases | None

    @torch.no_grad()
    def __call__(self, before: Tensor, after: Tensor, light: Tensor) -> Tensor:
        """As `Change` says; N is that of the renderer."""
        gain = self.rendered(before, after, light)
        for first in range(0, len(before), _BATCH):
            rows = slice(first, first + _BATCH)
            beyond = self._beyond(before[rows], after[rows], light[rows])
            gain[rows] += nn.functional.interpolate(beyond, gain.shape[-2:], mode="bicubic", align_corners=False)
        if self.creases is not None:
            self.creases.add_going(gain, before, after)
        return gain

    def _beyond(self, before: Tensor, after: Tensor, light: Tensor) -> Tensor:
        count = len(before)
        w, own = self.w.expand(2 * count, -1, -1), self.own.expand(2 * count, -1)
        codes = self.network.moved(w, own, torch.cat([after, before]), torch.cat([light, light]))
        there, here = self.network.generator(codes).chunk(2)
        same = (before == after).all(1)[:, None, None, None]  # sums of a batch may differ in their last bits
        return torch.where(same, 0.0, _MOST * torch.tanh((there - here) / _MOST)) * torch.as_tensor(self.network.share)


class LearnedTexture:
    """The texture editor that ships: the network over the wrinkle renderer. Folds that come are rendered, as sharp as
    the textures they are rendered into; the network, which is coarser, knows those that go and how this person's skin
    differs.

    Args:
        network: as trained.
        renderer: of folds, of any side.
        creases: finds folds that go, in textures of the same side; None to let them be.
    """

    def __init__(self, network: TextureNetwork, renderer: TextureEditor, creases: CreaseFinder | None = None) -> None:
        self._network, self._renderer, self._creases = network, renderer, creases

    @classmethod
    def load(cls, folder: Path, model: FaceModel, texels: SkinMap | None = None) -> LearnedTexture:
        """Reads the weights in `folder` onto the device of `model`; changes are in the layout of `texels`, that of
        `FaceTrack.views` by default.

        Raises:
            WeightsError: files are missing, damaged, too large, or of another format.
        """
        texels = texels or SkinMap(model)
        return cls(load_network(folder).to(model.device), WrinkleRenderer(model, texels), CreaseFinder(model, texels))

    @torch.no_grad()
    def know(self, skin: Tensor, visible: Tensor, coefficients: Tensor) -> Change:
        """As `TextureEditor` says: the mean of the codes of all views, those that show more counting for more."""
        network, rendered = self._network, self._renderer.know(skin, visible, coefficients)
        if not len(skin):
            w = network.spread(torch.as_tensor(network.mean)[None])
            return LearnedChange(network, w, w.new_zeros((1, len(BLENDSHAPES))), rendered, None)
        codes = network.assembled(*network.encoder(skin.float(), visible.float()))
        share = visible.float().mean((1, 2)) + 1e-3
        share = share / share.sum()
        w = torch.einsum("k,kld->ld", share, codes)[None]
        creases = None
        if self._creases is not None:
            creases = self._creases.find(skin, visible, coefficients, network.generator(w))
        return LearnedChange(network, w, (share @ coefficients)[None], rendered, creases)


def save_network(network: TextureNetwork, folder: Path, summary: dict[str, object]) -> None:
    """Writes `texture.safetensors` (half precision) and `texture.json` into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file(
        {name: value.half().contiguous().cpu() for name, value in network.state_dict().items()},
        folder / FILE,
    )
    config = {"format": FORMAT, "blendshapes": list(BLENDSHAPES), "resolution": network.generator.resolution, **summary}
    (folder / "texture.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def load_network(folder: Path) -> TextureNetwork:
    """Reads what `save_network` wrote; errors as `LearnedTexture.load`."""
    config = read_config(folder / "texture.json", "texture editor", FORMAT)
    tensors = read_tensors(folder / FILE, "texture editor", _MAX_BYTES)
    resolution = config.get("resolution")
    if not isinstance(resolution, int) or resolution not in RESOLUTIONS:
        raise WeightsError(f"The texture editor in {folder} has no known resolution; reinstall talkedit.")
    network = TextureNetwork(resolution)
    try:
        network.load_state_dict({name: value.float() for name, value in tensors.items()}, strict=True)
    except RuntimeError as error:
        raise WeightsError(f"The texture editor in {folder} is incomplete ({error}); reinstall talkedit.") from None
    if not all(bool(torch.isfinite(value).all()) for value in network.state_dict().values()):
        raise WeightsError(f"The texture editor in {folder} is damaged; reinstall talkedit.")
    return network.requires_grad_(False).eval()
