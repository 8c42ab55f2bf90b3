from __future__ import annotations

import numpy as np
import pytest

from talkedit_sdk.speech.prosody import Prosody
from talkedit_sdk.speech.types import SAMPLE_RATE, Voice


def voice(*syllables, seconds=6.0, level=0.3):
    """Noise in bursts of (begin, end, loudness)."""
    samples = np.random.default_rng(0).normal(0, 1e-4, int(seconds * SAMPLE_RATE))
    for begin, end, loud in syllables:
        rows = slice(int(begin * SAMPLE_RATE), int(end * SAMPLE_RATE))
        samples[rows] += np.random.default_rng(1).normal(0, loud, rows.stop - rows.start)
    return Voice((level * samples).astype(np.float32))


WORDS = [(1 + 0.3 * i, 1.2 + 0.3 * i, 1.0 if i == 3 else 0.1) for i in range(8)]


@pytest.mark.parametrize("level", [1.0, 0.01])
def test_activity_is_that_of_the_speech_whatever_its_level(level):
    prosody = Prosody.of(voice(*WORDS, level=level))
    active = prosody.active(np.array([0.1, 2.0, 5.5]))
    assert active[0] < 0.02
    assert active[1] > 0.6
    assert active[2] < 0.02
    assert np.abs(np.diff(prosody.activity)).max() < 0.1


def test_the_loud_syllable_is_an_accent():
    prosody = Prosody.of(voice(*WORDS))
    assert np.abs(prosody.accents - 2.0).min() < 0.08
    strongest = prosody.accents[prosody.weights.argmax()]
    assert strongest == pytest.approx(2.0, abs=0.08)
    assert np.diff(prosody.accents).min() >= 0.45
    assert 0 < prosody.weights.min() <= prosody.weights.max() <= 1


def test_phrases_end_where_pauses_begin():
    prosody = Prosody.of(voice((0.5, 1.5, 1), (2.5, 3.5, 1)))
    assert prosody.phrase_ends.tolist() == pytest.approx([1.5, 3.5], abs=0.2)


def test_silence_has_neither():
    prosody = Prosody.of(Voice(np.zeros(32000, np.float32)))
    assert prosody.activity.max() == 0
    assert len(prosody.accents) == len(prosody.phrase_ends) == 0
    assert prosody.nods(np.arange(5.0), prosody.weights, 0.1).tolist() == [0] * 5


def test_nods_are_bumps_at_the_accents():
    prosody = Prosody(np.ones(200), np.array([1.0, 3.0]), np.array([1.0, 0.5]), np.zeros(0))
    nods = prosody.nods(np.array([1.0, 2.0, 3.0]), prosody.weights, 0.1)
    assert nods.tolist() == pytest.approx([1, 0, 0.5], abs=1e-6)


def test_bumps_add_up_wherever_they_reach():
    chance, times = np.random.default_rng(0), np.arange(3000) / 25
    accents = np.sort(chance.uniform(-1, 121, 300))
    prosody = Prosody(np.ones(200), accents, np.ones(300), np.zeros(0))
    weights = chance.uniform(-1, 1, 300)
    wanted = np.exp(-0.5 * ((times[:, None] - accents) / 0.24) ** 2) @ weights
    assert np.abs(prosody.nods(times, weights, 0.24) - wanted).max() < 1e-9


def test_a_sound_of_a_few_samples_is_no_trouble():
    for count in (1, 100, 321, 5000):
        assert len(Prosody.of(Voice(np.ones(count, np.float32))).activity) >= 1
