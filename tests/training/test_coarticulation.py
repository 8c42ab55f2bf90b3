from __future__ import annotations

import pytest
import torch

from talkedit_sdk.face.topology import INDEX
from talkedit_sdk.motion.mouth import CLOSED, LipProjection, lip_gaps
from talkedit_sdk.speech.types import RATE, Phone
from talkedit_sdk.training.coarticulation import Manner, accents, lips, random_manner, sealed
from talkedit_sdk.training.phones import BILABIALS, rows_of, spans


def say(symbols, seconds=0.11):
    """Phones of one length each, with rests at both ends."""
    names = ["_", *symbols.split(), "_"]
    edges = [0.0, 0.4] + [0.4 + seconds * (n + 1) for n in range(len(names) - 2)] + [0.8 + seconds * (len(names) - 2)]
    stress = [2 if name[0] in "aeiouAEIOU03" else 0 for name in names]
    return [Phone(n, b, e, s) for n, b, e, s in zip(names, edges, edges[1:], stress, strict=False)]


@pytest.fixture(scope="module")
def projection(model):
    return LipProjection(model)


@pytest.fixture(scope="module")
def opening(projection):
    return projection.features[2]


def middle(phones, number):
    return round((phones[number].begin + phones[number].end) / 2 * RATE)


def test_lips_touch_in_every_closure_whatever_is_around(model, opening):
    phones = say("b 0 b m a m p A p V m aI b u: p i: m a b O p")
    count = int(phones[-1].end * RATE)
    generator = torch.Generator().manual_seed(0)
    for manner in [None, *(random_manner(generator) for _ in range(6))]:
        beta = lips(phones, count, opening, manner)
        closed = torch.isin(rows_of(spans(phones), count), torch.tensor(BILABIALS))
        inner = closed & closed.roll(1) & closed.roll(-1)  # the rows at the edges are on their way
        # Somebody whose lips touch at rest: the mean face has a gap of its own, which is taken away.
        gaps = lip_gaps(model.mean + model.displacement(beta))[:, 1:4] - lip_gaps(model.mean[None])[:, 1:4]
        assert float(gaps[inner].max()) < CLOSED
        assert float(gaps.mean(1).max()) > 0.08


def test_vowels_and_lips_look_as_they_should(opening, projection):
    phones = say("a t i: t u: t f a s S", 0.16)
    beta = lips(phones, int(phones[-1].end * RATE), opening)
    gap, width = beta @ opening, beta @ projection.features[5]
    a, i, u, f, s, sh = (middle(phones, number) for number in (1, 3, 5, 7, 9, 10))
    assert gap[a] > 1.5 * gap[i] > 0
    assert width[i] > 0.02
    assert width[u] < -0.04
    assert width[u] < width[sh] < width[i]
    assert beta[f, INDEX["mouthRollLower"]] > 0.2
    assert 0 < gap[f] < 0.04
    assert beta[s, INDEX["jawOpen"]] < 0.1


def test_amplitude_and_speed_are_those_of_tracked_people(opening):
    """Tracked lips of 23 clips of people who talk: opening 0.00 to 0.14 (5th to 95th percentile), its speed 1.6 a
    second, jaw up to 0.32 at 2.4 a second."""
    phones = say("j E s t 3 d eI w i: w O: k t @ l O N D @ r I v 3 a n d t O: k t @ b aU t p i: p @ L", 0.075)
    beta = lips(phones, int(phones[-1].end * RATE), opening)[20:-25]
    gap = (beta @ opening).clamp_min(0)
    assert 0.09 < float(gap.quantile(0.95)) < 0.18
    assert float(gap.quantile(0.05)) < 0.01
    assert 0.9 < float(gap.diff().abs().quantile(0.95)) * RATE < 2.2
    jaw = beta[:, INDEX["jawOpen"]]
    assert 0.2 < float(jaw.quantile(0.95)) < 0.42
    assert 1.2 < float(jaw.diff().abs().quantile(0.95)) * RATE < 3.5


def test_silence_is_rest_and_nothing_jumps(opening):
    phones = say("m a m a")
    beta = lips(phones, int(phones[-1].end * RATE), opening)
    assert float(beta[:8].max()) < 0.03
    assert float(beta[-8:].max()) < 0.03
    assert float(beta.diff(dim=0).abs().max()) < 0.25
    assert float((beta @ opening).diff().abs().max()) * RATE < 4  # tracked lips close at 2.5, pictures apart
    assert float(beta.min()) >= 0
    assert not lips([], 5, opening).any()


def test_sounds_give_way_to_each_other(opening):
    pucker = INDEX["mouthPucker"]
    t_in = [lips(p, int(p[-1].end * RATE), opening)[middle(p, 2), pucker] for p in map(say, ("u: t u:", "i: t i:"))]
    assert t_in[0] > 0.25
    assert t_in[1] < 0.05


def test_manners_scale(opening):
    phones = say("a t u:", 0.2)
    count = int(phones[-1].end * RATE)
    plain, other = lips(phones, count, opening), lips(phones, count, opening, Manner(jaw=1.5, rounding=0.5))
    assert other[middle(phones, 1), INDEX["jawOpen"]] > 1.3 * plain[middle(phones, 1), INDEX["jawOpen"]]
    assert other[middle(phones, 3), INDEX["mouthPucker"]] < 0.7 * plain[middle(phones, 3), INDEX["mouthPucker"]]


def test_sealing_closes_what_an_emotion_opens_and_leaves_the_rest(opening):
    phones = say("a m a")
    count = int(phones[-1].end * RATE)
    open_ = torch.zeros(count, len(INDEX))
    open_[:, INDEX["jawOpen"]] = 0.3
    closed = sealed(open_, phones, opening)
    assert float((closed @ opening)[middle(phones, 2)]) < 0
    torch.testing.assert_close(closed[: middle(phones, 1) - 4], open_[: middle(phones, 1) - 4])


def test_brows_rise_with_stress_but_not_all_the_time():
    phones = say("a t i: t u: t a t i:", 0.2)
    brows = accents(phones, int(phones[-1].end * RATE))[:, INDEX["browOuterUpLeft"]]
    assert 0.1 < float(brows.max()) <= 0.15
    assert float(brows[:10].max()) < 0.02
    peaks = ((brows[1:-1] > brows[:-2]) & (brows[1:-1] > brows[2:])).sum()
    assert 2 <= int(peaks) <= 4
