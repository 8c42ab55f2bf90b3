"""The mouth opening: what lies behind the lips, from the frame itself or from other views of it, and the rim of the
lips over it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from talkedit_sdk.face.smooth import smoothstep
from talkedit_sdk.face.topology import CHIN, FOREHEAD, LIPS_INNER, VERTICES
from talkedit_sdk.render.canvas import Canvas, Window
from talkedit_sdk.render.gallery import Behind
from talkedit_sdk.render.interior import LOWER, UPPER, Interior, Look, resampled
from talkedit_sdk.render.layer import Layer, between, grid, opposite

_ROWS: Final = 25  # of vertices between the lips
_COLUMNS: Final = 41
_MIDDLE: Final = [_COLUMNS // 2 + step for step in (-4, 0, 4)]  # three landmarks of the lips, as in `Interior.gap`
_MIDDLE_LIPS: Final = slice(4, 7)  # of the eleven landmarks of a lip
_LIP_RIM: Final = 0.008  # depth of the rim of the mouth, face heights

# Where the frame's own pixels give way to a view, in face heights:
_WIDER: Final = (0.003, 0.014)  # the lips part that much further
_SLIGHT: Final = (0.035, 0.012)  # so far apart they show teeth, if there are any to be seen; so little, a dark slit
_OPEN: Final = (0.006, 0.016)  # the lips are apart at all
_FEATHER: Final = 0.010  # below the frame's own upper teeth
_BEYOND: Final = (0.010, 0.016)  # the lower lip is that far off what the frame shows
_BETWEEN: Final = (0.006, 0.014)  # its teeth part that far
_AGAPE: Final = (0.08, 0.04)  # lips so far apart show in the frame itself what is behind teeth
_BARE: Final = 0.010  # what lies at the lower lip may be drawn out that far

_DRAWN_OUT: Final = (0.012, 0.030)  # face heights beyond what a picture shows: still like its edge, gums or darkness

# Shadows, 0 to 1, and how far they reach, face heights:
_DARK: Final = 0.45  # over what neither frame nor view shows
_LIT_BELOW: Final = 0.4
_DEEP: Final = (0.006, 0.035)
_SHADOW: Final = 0.5  # in the last gap of closing lips
_SLIT: Final = 0.02
_UNDER: Final = 0.15  # of the upper lip
_LIP_SHADOW: Final = 0.02
_DIM: Final = 0.4  # in a mouth that hardly opens, and in the corners
_CORNERS: Final = (0.6, 0.95)  # from where to where, between the middle of the mouth and its corners
_NARROW: Final = (0.07, 0.0)

_PARTED: Final = (0.006, 0.022)  # face heights between teeth: nothing of the throat is seen, enough of it
_HOLLOW: Final = 0.9
_CAVITY: Final = (0.24, 0.17, 0.17)  # colour of the throat, relative to the lips
_GUMS: Final = (0.45, 0.25)  # own light, and that of what is behind
_VISIBLE: Final = 1 / 255


@dataclass(frozen=True)
class MouthOpening:
    """An `Opening`. Attributes of `interior`: shift to the frame (2), shift to the view (2), share of the view, then
    light, gums and darkness of the frame's pixels, the same of the view's."""

    interior: Layer
    rim: Layer
    behind: Behind

    @property
    def reach(self) -> Tensor:
        return self.interior.vertices[..., :2]

    def __getitem__(self, rows: slice | Tensor) -> MouthOpening:
        return MouthOpening(self.interior[rows], self.rim[rows], self.behind[rows])

    def inside(self, canvas: Canvas, window: Window, rim: Tensor, opacity: Tensor) -> tuple[Tensor, Tensor]:
        """Teeth as the frame shows them, and a view of the same mouth where it opens further."""
        lips = (rim.float() * opacity).sum((1, 2), keepdim=True) / opacity.sum((1, 2), keepdim=True).clamp_min(1)
        values, _ = self.interior.drawn(canvas, window)
        share = values[..., 4:5]
        colour = _fleshed(canvas.sample(values[..., :2], window).float(), lips, values[..., 5:8])
        if float(share.max()) > _VISIBLE:
            view = _fleshed(self.behind.sample(canvas, values[..., 2:4], window), lips, values[..., 8:11])
            colour = colour + share * (view - colour)
        return colour, opacity


class MouthMesh:
    """Topology of the mouth's layers and how they follow the landmarks."""

    def __init__(self, device: torch.device) -> None:
        self._upper, self._lower = (torch.tensor(side, device=device) for side in (UPPER, LOWER))
        self._lips = torch.tensor(LIPS_INNER, device=device)
        self._interior = grid(_ROWS, _COLUMNS, False, device)
        self._rim = grid(2, len(LIPS_INNER), True, device)

    def place(self, landmarks: Tensor, offsets: Tensor, jaw: Tensor, height: Tensor, behind: Behind) -> MouthOpening:
        """Where both lips move alike, what is between them goes along. Beyond that upper teeth keep still with the
        skull, lower teeth and tongue follow the jaw, and lips slide over both.

        Args:
            landmarks: (T, 478, 3) pixels of the source.
            offsets: (T, 468, 3) pixels to the result.
            jaw: (T, 3) pixels by which the bone under the chin moves.
            height: (T,) of the face, pixels.
            behind: what is known of the same mouth beyond these frames.
        """
        down = (landmarks[:, CHIN] - landmarks[:, FOREHEAD])[:, :2] / height.clamp_min(1)[:, None]
        shift, fallen = self._carried(offsets, jaw, down)
        own = Interior.of(landmarks, behind.parting, self._bared(offsets, shift, fallen, down))
        face = landmarks[:, :VERTICES]
        upper, lower = (resampled(face[:, side] + offsets[:, side], _COLUMNS) for side in (self._upper, self._lower))
        rows = torch.linspace(0, 1, _ROWS, device=face.device)[:, None, None]
        result = torch.lerp(upper[:, None], lower[:, None], rows)
        points = result[..., :2]
        within = points - (shift[:, None] * down)[:, None, None]
        # Lower teeth are hardly bared further than the frame shows them: they go along with the lip instead.
        drop = (own.uncovered(within)[1] - fallen - _BARE * height).clamp_min(0)
        aside = jaw[:, :2] - torch.einsum("tj,tj->t", jaw[:, :2], down)[:, None] * down
        seen = own.look(within, aside + (fallen + drop)[:, None] * down)
        there = behind.look(within, landmarks[:, CHIN, :2] + aside)
        gap = torch.einsum("tj,tnj->tn", down, (lower - upper)[..., :2]) / height[:, None]
        unit = behind.scale * height
        mixture = _mixture(seen / height, there / unit, own.gap / height, gap.clamp_min(0), behind.instead)
        attributes = torch.cat([seen.source - points, there.source - points, mixture], -1)
        interior = Layer(result.flatten(1, 2), attributes.flatten(1, 2), self._interior)
        return MouthOpening(interior, self._lip_rim(landmarks, offsets, _LIP_RIM * height[:, None, None]), behind)

    def _carried(self, offsets: Tensor, jaw: Tensor, down: Tensor) -> tuple[Tensor, Tensor]:
        """(T,) pixels down the face by which both lips move alike, and with them what is between; and by which the jaw
        drops beyond that. A mouth that only wanders shows what it showed: teeth that stayed behind, true to anatomy as
        they were, would have to be bared at one lip and covered by the other, and look drawn."""
        moves = torch.stack([offsets[:, side[_MIDDLE_LIPS], :2].mean(1) for side in (self._upper, self._lower)], 1)
        along = torch.einsum("tij,tj->ti", moves, down)
        alike = along.abs().amin(1) * (torch.sign(along).sum(1) / 2)
        fallen = torch.einsum("tj,tj->t", jaw[:, :2], down)
        return alike, fallen - torch.minimum(alike.clamp_min(0), fallen.clamp_min(0))

    def _bared(self, offsets: Tensor, shift: Tensor, fallen: Tensor, down: Tensor) -> Tensor:
        """(T, 2, 11) pixels by which upper and lower lips slide off what is behind them."""
        upper, lower = (
            torch.einsum("tnj,tj->tn", offsets[:, side, :2], down) - shift[:, None]
            for side in (self._upper, self._lower)
        )
        return torch.stack([-upper, lower - fallen[:, None]], 1).clamp_min(0)

    def _lip_rim(self, landmarks: Tensor, offsets: Tensor, depth: Tensor) -> Layer:
        """The edge of the lips, softly ending within `depth` pixels; of lips that touch in the source it is drawn
        out."""
        before = landmarks[:, self._lips]
        after = before + offsets[:, self._lips]
        strips = []
        for margin in (before, after):
            inward = (opposite(margin) - margin) / 2
            length = inward.norm(dim=-1, keepdim=True).clamp_min(1e-3)
            strips.append(torch.cat([margin, margin + inward * (depth / length).clamp(max=1)], 1))
        opacity = torch.ones_like(strips[0][..., :1])
        opacity[:, len(self._lips) :] = 0
        return between(strips[0], strips[1], opacity, self._rim)


def _fleshed(colour: Tensor, lips: Tensor, values: Tensor) -> Tensor:
    """Colours (B, h, w, 3) with light, gums and darkness (B, h, w, 3): gums have the colour of lips (B, 1, 1, 3), and
    as roots shine through them, some of what would be there without them."""
    light, gums, dark = values[..., :1], values[..., 1:2], values[..., 2:]
    flesh = lips * (_GUMS[0] + _GUMS[1] * colour.mean(-1, keepdim=True) / lips.mean(-1, keepdim=True).clamp_min(1))
    colour = light * (colour + gums * (flesh - colour))
    throat = torch.minimum(colour, torch.tensor(_CAVITY, device=lips.device) * lips)
    return colour + dark * (throat - colour)


def _mixture(seen: Look, there: Look, before: Tensor, gap: Tensor, instead: Tensor) -> Tensor:
    """What `MouthOpening` wants to know: (T, R, C, 7). All lengths in face heights.

    Args:
        seen, there: what the frame and what the view shows.
        before: (T,) gap between the lips in the frame.
        gap: (T, C) in the result.
        instead: (T,) share by which the view is seen anyway.
    """
    before, gap = before[:, None, None], gap[:, None]
    wide = gap[..., _MIDDLE].mean(-1, keepdim=True)
    beyond, unknown = seen.lifted + seen.dropped, there.lifted + there.dropped
    blank = smoothstep(before, *_SLIGHT)
    parted = smoothstep(before, *_AGAPE)
    shares = (
        smoothstep(wide - before, *_WIDER) * torch.maximum(smoothstep(-seen.skull, 0, _FEATHER), blank),
        smoothstep(seen.dropped, *_BEYOND),
        parted * smoothstep(seen.parted, *_BETWEEN),
    )
    share = torch.stack([each.expand_as(beyond) for each in shares]).amax(0)
    apart = smoothstep(gap, *_OPEN)
    slit = (1 - wide / _SLIT).clamp(0, 1) * ((before - wide) / before.clamp_min(1e-3)).clamp(0, 1)
    down = torch.linspace(0, 1, _ROWS, device=gap.device)[:, None]
    under = torch.exp(-down * gap / _LIP_SHADOW)
    beside = smoothstep(torch.linspace(-1, 1, _COLUMNS, device=gap.device).abs(), *_CORNERS)
    own = (1 - _SHADOW * slit) * _lit(seen)
    view = _lit(there) * (1 - _UNDER * under) * (1 - _DIM * smoothstep(wide, *_NARROW)) * (1 - _DIM * beside)
    # There are teeth and gums in the middle; beside them it is dark.
    drawn_out = [smoothstep(length, *_DRAWN_OUT) for length in (beyond, unknown)]
    own, view = (light * (1 - _DIM * beside * out) for light, out in zip((own, view), drawn_out, strict=True))
    gums = [out * (1 - beside) for out in drawn_out]
    dark = [_HOLLOW * parted * smoothstep(look.parted, *_PARTED) * apart for look in (seen, there)]
    share = torch.lerp(share * apart, torch.ones_like(share), instead[:, None, None])
    return torch.stack([share, own, gums[0], dark[0], view, gums[1], dark[1]], -1)


def _lit(look: Look) -> Tensor:
    """(T, R, C) light on what is drawn out beyond a picture: it lies in the shadow of the upper lip, while the inside
    of the lower one gets some light."""
    return 1 - _DARK * smoothstep(look.lifted + _LIT_BELOW * look.dropped, *_DEEP)
