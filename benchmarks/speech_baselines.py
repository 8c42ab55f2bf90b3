"""What learned speech motion has to beat: loudness that moves the jaw, and phones with rules for lips."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from string import ascii_letters, digits
from typing import Final

import torch
from lips import Lips
from torch import Tensor, nn

from talkedit_sdk.face.smooth import gaussian_mean
from talkedit_sdk.face.topology import INDEX
from talkedit_sdk.speech.features import ENERGY, FEATURES
from talkedit_sdk.speech.types import RATE, Phone
from talkedit_sdk.training.coarticulation import lips
from talkedit_sdk.training.phones import BILABIALS, CLASSES, SILENCE, classes_of
from talkedit_sdk.training.utterance import Utterance

_JAW: Final = INDEX["jawOpen"]
_ENVELOPE, _PHRASE = 0.05, 0.25  # seconds
_CONTEXT: Final = tuple(range(-6, 7, 2))  # rows around a moment that the phone is read from
_HIDDEN: Final = 160
_BATCH, _RATE = 1024, 3e-3
_SURE: Final = 0.025  # seconds over which the classifier's opinion is averaged
_SHORTEST: Final = 2  # rows of a phone


class LoudnessJaw:
    """The envelope of the voice, scaled to open the jaw as far as people do. `opening` (52,) is lip gap, in widths of
    the face, per unit of each coefficient."""

    def __init__(self, opening: Tensor) -> None:
        self._opening = opening
        self._line = torch.zeros(2)

    def fit(self, voices: Sequence[Tensor], gaps: Sequence[Tensor]) -> None:
        """The line from loudness to the jaw that explains lip gaps over rest (T,) of voices (T, FEATURES) best."""
        loud = torch.cat([self._loud(voice) for voice in voices])
        jaw = torch.cat(list(gaps)) / self._opening[_JAW]
        self._line = torch.linalg.lstsq(torch.stack([loud, torch.ones_like(loud)], 1), jaw[:, None]).solution[:, 0]

    def __call__(self, voice: Tensor) -> Lips:
        """(T, FEATURES) -> lips; closures are sought where loudness dips."""
        jaw = (self._line[0] * self._loud(voice) + self._line[1]).clamp(0, 1)[:, None]
        dip = _smooth(jaw, _PHRASE) - jaw
        return Lips((self._opening[_JAW] * jaw[:, 0]).numpy(), dip[:, 0].numpy())

    def _loud(self, voice: Tensor) -> Tensor:
        return _smooth(voice[:, ENERGY : ENERGY + 1].clamp_min(-1.5), _ENVELOPE)[:, 0]


class PhoneRules:
    """A classifier of phones, learned from synthetic speech alone, and the rules of coarticulation. No motion of
    anybody is learned. `opening` as of `LoudnessJaw`, but in model units; `width` of the face in these."""

    def __init__(self, opening: Tensor, width: float) -> None:
        self._opening, self._width = opening, width
        torch.manual_seed(0)
        self._network = nn.Sequential(
            nn.Linear(FEATURES * len(_CONTEXT), _HIDDEN), nn.GELU(), nn.Linear(_HIDDEN, len(CLASSES))
        )
        # Not p or b, whose times eSpeak gives by their burst: here the lips are closed as long as the phone lasts.
        self._symbols = {classes_of(sign)[0]: sign for sign in digits + ascii_letters if sign not in "pb"}
        self._symbols[SILENCE[0]] = "_"

    def fit(self, utterances: Sequence[Utterance], steps: int = 500) -> float:
        """Learns phones of spoken utterances; the share of the rows of a tenth of them that are named right."""
        held = utterances[::10]
        features, phones = _rows([u for n, u in enumerate(utterances) if n % 10])
        optimiser = torch.optim.AdamW(self._network.parameters(), _RATE, weight_decay=0.02)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, _RATE, total_steps=steps)
        chance = torch.Generator().manual_seed(0)
        for _ in range(steps):
            picks = torch.randint(len(phones), (_BATCH,), generator=chance)
            optimiser.zero_grad()
            loss = nn.functional.cross_entropy(self._network(features[picks].float()), phones[picks])
            torch.autograd.backward(loss)
            optimiser.step()
            schedule.step()
        features, phones = _rows(held)
        with torch.no_grad():
            return float((self._network(features.float()).argmax(1) == phones).float().mean())

    @torch.no_grad()
    def __call__(self, voice: Tensor) -> Lips:
        """(T, FEATURES) -> lips; closures are where the classifier hears p, b or m."""
        opinion = _smooth(self._network(_context(voice)).log_softmax(1), _SURE)
        coefficients = lips(self.phones(opinion.argmax(1).tolist()), len(voice), self._opening)
        return Lips((coefficients @ self._opening / self._width).numpy(), opinion[:, list(BILABIALS)].amax(1).numpy())

    def phones(self, kinds: list[int]) -> list[Phone]:
        """Classes row by row -> phones without holes; what is shorter than a phone can be belongs to the one before."""
        starts = [0] + [row for row in range(1, len(kinds)) if kinds[row] != kinds[row - 1]]
        kept = [starts[0]] + [a for a, b in pairwise([*starts[1:], len(kinds)]) if b - a >= _SHORTEST]
        return [
            Phone(self._symbols.get(kinds[begin], "@"), begin / RATE, end / RATE, 0)
            for begin, end in pairwise([*kept, len(kinds)])
        ]


def _rows(utterances: Sequence[Utterance]) -> tuple[Tensor, Tensor]:
    features = torch.cat([_context(u.features).half() for u in utterances])
    phones = torch.cat([u.phones for u in utterances])
    return features[phones >= 0], phones[phones >= 0]


def _context(voice: Tensor) -> Tensor:
    """(T, F) -> (T, F * contexts), each row with those around it."""
    rows = torch.arange(len(voice))[:, None] + torch.tensor(_CONTEXT)
    return voice[rows.clamp(0, len(voice) - 1)].flatten(1)


def _smooth(values: Tensor, seconds: float) -> Tensor:
    count = len(values)
    return gaussian_mean(values, torch.arange(count) / RATE, torch.zeros(count, dtype=torch.int64), seconds)
