"""The measures of `benchmarks/speech.py` and what it compares with."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest
import torch

from talkedit_sdk.face.topology import INDEX
from talkedit_sdk.speech.features import ENERGY, FEATURES
from talkedit_sdk.speech.types import RATE
from talkedit_sdk.training.phones import CLASS, classes_of
from talkedit_sdk.training.utterance import Utterance

OPENING = torch.zeros(len(INDEX))
OPENING[INDEX["jawOpen"]], OPENING[INDEX["mouthClose"]] = 0.3, -0.2


def talking(seconds: float = 4) -> np.ndarray:
    time = np.arange(int(RATE * seconds)) / RATE
    return np.abs(np.sin(2 * np.pi * 1.7 * time)) * (1 + 0.4 * np.sin(time)) + 0.02


def test_lips_that_are_late_fit_at_their_lag(lips):
    truth = talking()
    late = np.roll(truth, 3)
    assert lips.shifted_correlation(late, truth, 3) > 0.99
    assert lips.shifted_correlation(late, truth, 0) < 0.9
    assert lips.shifted_correlation(np.ones_like(truth), truth, 2) == 0
    found = lips.compare([lips.Lips(late, -late)], [lips.Lips(truth, (truth < 0.1).astype(float))])
    assert found["lag"] == [60]
    assert found["best"][0] == pytest.approx(found["course"][0, lips.LAGS.index(3)])
    assert found["recall"][0] == found["precision"][0]
    assert found["recall"][0] < 1


def test_the_same_lips_are_perfect_whatever_the_rest(lips):
    truth = talking()
    found = lips.compare([lips.Lips(truth + 0.3, -truth)], [lips.Lips(truth, (truth < 0.1).astype(float))])
    assert [found[name][0] for name in ("correlation", "lag", "recall", "precision")] == [1, 0, 1, 1]
    assert found["error"][0] == pytest.approx(0)


def test_closures(lips):
    true, found = np.zeros(40, bool), np.zeros(40, bool)
    true[[10, 11, 30]] = True
    found[[12, 20]] = True
    assert lips.closures(found, true) == (pytest.approx(2 / 3), 0.5)
    recall, precision = lips.closures(found, np.zeros(40, bool))
    assert np.isnan(recall)
    assert precision == 0
    assert lips.firmest(np.array([0.1, 0.9, 0.4, 0.5]), 2).tolist() == [False, True, False, True]


def test_people_count_once(people):
    values = people.by_person(np.array([1.0, 3.0, 8.0, np.nan]), ["a", "a", "b", "c"])
    assert values[:2].tolist() == [2, 8]
    assert np.isnan(values[2])
    mean, low, high = people.bootstrapped(values)
    assert (mean, low, high) == (5, 2, 8)
    assert people.interval(values, 1) == "5.0 [2.0, 8.0]"
    assert people.interval(np.array([np.nan])) == "–"


def test_loudness_opens_the_jaw_as_far_as_people_do(speech_baselines):
    loud = torch.from_numpy(talking()).float() - 1
    voice = torch.zeros(len(loud), FEATURES)
    voice[:, ENERGY] = loud
    jaw = speech_baselines.LoudnessJaw(OPENING)
    jaw.fit([voice], [0.06 * (loud + 1)])
    gap = jaw(voice).gap
    assert np.corrcoef(gap, loud)[0, 1] > 0.95
    assert gap.mean() == pytest.approx(0.06 * float((loud + 1).mean()), rel=0.1)


@pytest.fixture(scope="module")
def rules(speech_baselines: ModuleType):
    """Phones that can be told by one feature each."""
    kinds = torch.tensor([CLASS["pause"], CLASS["bilabial"], CLASS["open"], CLASS["sibilant"]])
    chance = torch.Generator().manual_seed(0)

    def spoken() -> Utterance:
        phones = kinds[torch.randint(4, (25,), generator=chance)].repeat_interleave(8)
        voice = torch.nn.functional.one_hot(phones, FEATURES).float()
        voice += 0.2 * torch.randn(voice.shape, generator=chance)
        nothing = torch.zeros(len(phones))
        return Utterance(voice, nothing[:, None], phones, nothing[:, None], nothing, "spoken", "somebody", "train")

    found = speech_baselines.PhoneRules(OPENING, 1.0)
    right = found.fit([spoken() for _ in range(12)], steps=100)
    phones = kinds[[0, 2, 1, 2, 3, 0]].repeat_interleave(10)
    return found, right, torch.nn.functional.one_hot(phones, FEATURES).float()


def test_phones_move_lips_by_rules(rules):
    found, right, voice = rules
    assert right > 0.85
    said = found(voice)
    gap = said.gap
    assert gap[22:28].mean() < 0.2 * gap[[14, 15, 34, 35]].mean()  # p between two a
    assert np.abs(gap[2:6]).max() < 0.05
    assert 20 <= said.closure.argmax() < 30


def test_phones_leave_no_holes_and_have_a_length(rules):
    found, *_ = rules
    kinds = [CLASS["pause"]] * 5 + [CLASS["open"]] + [CLASS["bilabial"]] * 4 + [CLASS["open"]] * 6
    phones = found.phones(kinds)
    assert [classes_of(phone.symbol)[0] for phone in phones] == [CLASS["pause"], CLASS["bilabial"], CLASS["open"]]
    assert [phone.begin for phone in phones[1:]] == [phone.end for phone in phones[:-1]]
    assert (phones[0].begin, phones[-1].end) == (0, len(kinds) / RATE)
