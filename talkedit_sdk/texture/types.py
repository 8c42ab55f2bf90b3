"""What passes between the texture stages."""

from __future__ import annotations

from typing import Final, Protocol

from torch import Tensor

TOE: Final = 0.02
"""Added to levels in [0, 1] before their logarithm is taken: skin in deep shadow is noise, and counts for little."""


class Change(Protocol):
    """How the skin of one person changes with expression."""

    def __call__(self, before: Tensor, after: Tensor, light: Tensor) -> Tensor:
        """From what a face does to what it is to do.

        Args:
            before: (T, 52) coefficients of the source.
            after: (T, 52) coefficients of the result.
            light: (T, 3), see `estimate_light`.

        Returns:
            (T, 3, N, N) float32 in the UV layout of the face, the logarithm of the factor by which sRGB levels in
            [0, 1] plus `TOE` change. Zero where before equals after, and smooth in both.
        """
        ...


class TextureEditor(Protocol):
    """Knows how skin folds and shades with expression."""

    def know(self, skin: Tensor, visible: Tensor, coefficients: Tensor) -> Change:
        """Looks at a person.

        Args:
            skin: (K, 3, 256, 256) even light, see `even_light`; K may be 0, which is nobody's skin.
            visible: (K, 256, 256) in [0, 1].
            coefficients: (K, 52) of the same views.
        """
        ...
