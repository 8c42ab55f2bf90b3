from __future__ import annotations

import pytest
import torch

from talkedit_sdk.speech.features import ENERGY, FEATURES, VOICING
from talkedit_sdk.speech.types import RATE
from talkedit_sdk.training.own_voice import Heard, own_voices


def talking(person, seconds, generator, late=0, own=True):
    """Somebody whose bands follow hidden syllables, and whose lips follow them too, or others."""
    count = int(seconds * RATE)
    syllables = torch.randn(2, count + 80, generator=generator)
    kernel = torch.hann_window(11)[None, None] / 3
    shown, other = torch.nn.functional.conv1d(syllables[:, None], kernel, padding=5)[:, 0].abs()
    features = 0.3 * torch.randn(count, FEATURES, generator=generator)
    features[:, 8:40] += shown[40 : 40 + count, None]
    features[:, [ENERGY, VOICING]] += 0.3 * shown[40 : 40 + count, None]
    seen = (shown if own else other)[40 - late : 40 - late + count]
    return Heard(person, features, 0.05 * seen + 0.003 * torch.randn(count, generator=generator))


@pytest.fixture(scope="module")
def matches():
    generator = torch.Generator().manual_seed(0)
    clips = [talking(f"p{n}", 5 + n, generator, late=0) for n in range(5)]
    clips += [talking("early", 8, generator, late=-4), talking("late", 8, generator, late=5)]
    clips += [talking(f"dubbed {n}", 6, generator, own=False) for n in range(5)]
    clips.append(Heard("still", clips[0].features, torch.zeros(len(clips[0].gap))))
    clips.append(Heard("short", clips[0].features[:20], clips[0].gap[:20]))
    return {clip.person: match for clip, match in zip(clips, own_voices(clips), strict=True)}


def test_own_voices_are_told_from_others(matches):
    own = {person for person, match in matches.items() if match.own}
    assert own == {"p0", "p1", "p2", "p3", "p4", "early", "late"}
    assert all(match.correlation > 0.5 for person, match in matches.items() if person in own)


def test_lateness_is_measured_against_most(matches):
    ordinary = matches["p2"].late
    assert abs(ordinary) <= 1
    assert matches["early"].late - ordinary == pytest.approx(-4, abs=1)
    assert matches["late"].late - ordinary == pytest.approx(5, abs=1)


def test_one_clip_goes_by_loudness():
    generator = torch.Generator().manual_seed(1)
    (match,) = own_voices([talking("alone", 8, generator)])
    assert match.own
    assert own_voices([]) == []
