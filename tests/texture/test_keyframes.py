from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from talkedit_sdk.face.topology import INDEX
from talkedit_sdk.texture import keyframes
from talkedit_sdk.texture.feather import Feather
from talkedit_sdk.texture.keyframes import SECONDS, STEP, Expressions, KeyedGain, choose_keys, prefiltered

SIDE = 32


class Bump:
    """A stripe that is as deep as the brows go down further; counts what it is asked."""

    def __init__(self):
        self.asked = []

    def __call__(self, before, after, light):
        self.asked.append(len(before))
        stripe = torch.sin(torch.arange(SIDE) / SIDE * 6)[None, None, None].expand(-1, 3, SIDE, -1)
        return (after - before)[:, INDEX["browDownLeft"]][:, None, None, None] * stripe


@pytest.fixture(scope="module")
def feather(model):
    return Feather(model)


def frowning(count=60, fps=25.0, strength=1.0, segments=None):
    """A face that blinks, talks and frowns for a while in the middle."""
    times = np.arange(count) / fps
    before, change = torch.zeros(count, 52), torch.zeros(count, 52)
    before[:, INDEX["jawOpen"]] = 0.2 + 0.2 * torch.sin(torch.from_numpy(times).float() * 20)
    middle = torch.linspace(-1.2, 1.2, count)
    change[:, INDEX["browDownLeft"]] = strength * (1 - middle.square()).clamp_min(0)
    return Expressions(
        before=before,
        after=before + change,
        light=torch.zeros(count, 3),
        scale=torch.full((count,), 1e4),
        times=times,
        segments=np.zeros(count, np.int64) if segments is None else segments,
    )


@pytest.fixture
def keyed(model, feather):
    def keyed(expressions, change=None, detail=1.0):
        return KeyedGain(model, change or Bump(), feather, expressions, detail)

    return keyed


def chosen(states, changed=None, times=None, segments=None):
    count = len(states)
    return choose_keys(
        np.asarray(states, np.float32).reshape(count, -1),
        np.ones(count, bool) if changed is None else np.asarray(changed),
        np.arange(count) / 25 if times is None else np.asarray(times),
        np.zeros(count, np.int64) if segments is None else np.asarray(segments),
    ).tolist()


def test_a_still_face_has_a_key_every_now_and_then():
    keys = chosen(np.zeros(101))
    assert (keys[0], keys[-1]) == (0, 100)
    assert max(np.diff(keys)) <= SECONDS * 25 + 1
    assert len(keys) == 11


def test_motion_brings_keys():
    path = np.cumsum(np.where(np.arange(100) < 50, 0.0, 0.3 * STEP))
    keys = np.array(chosen(path))
    assert np.diff(keys[keys >= 51]).max() <= 4
    assert (keys < 50).sum() <= 7


def test_both_sides_of_a_leap_are_keys():
    leap = np.where(np.arange(20) < 7, 0.0, 5 * STEP)
    assert {6, 7} <= set(chosen(leap))
    still = np.zeros(20)
    assert {6, 7} <= set(chosen(still, segments=np.arange(20) > 6))
    assert {6, 7} <= set(chosen(still, changed=np.arange(20) > 6))


def test_a_photo_has_one_key():
    assert chosen([0.0]) == [0]


def test_any_order_gives_the_same(keyed):
    one, other = keyed(frowning()), keyed(frowning())
    forward = [one.at([row]) for row in range(60)]
    for row in (31, 3, 59, 30, 0, 32):
        again = other.at([row])
        assert (again is None) == (forward[row] is None)
        assert again is None or torch.equal(again, forward[row])
    together = other.at([20, 21, 22])
    assert torch.equal(together, torch.cat(forward[20:23]))


def test_threads_get_the_same(keyed):
    expressions = frowning()
    alone, shared = keyed(expressions), keyed(expressions)
    rows = list(range(15, 45)) * 3
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda row: shared.at([row]), rows))
    for row, gain in zip(rows, found, strict=True):
        assert torch.equal(gain, alone.at([row]))


def test_nothing_is_worked_out_where_nothing_changes(keyed):
    bump = Bump()
    gain = keyed(frowning(strength=0.0), bump)
    assert all(gain.at([row]) is None for row in range(60))
    assert bump.asked == []
    bump = Bump()
    gain = keyed(frowning(), bump)
    assert gain.at([0]) is None
    assert gain.at([30]) is not None
    assert len(bump.asked) <= 2


def test_it_begins_and_ends_softly(keyed):
    gain = keyed(frowning())
    sizes = [0.0 if (found := gain.at([row])) is None else float(found.abs().max()) for row in range(60)]
    assert max(sizes) > 0.3
    assert np.abs(np.diff(sizes)).max() < 0.12 * max(sizes)
    assert sizes[0] == sizes[-1] == 0


def test_each_key_is_worked_out_once_and_few_are_kept(keyed, monkeypatch):
    monkeypatch.setattr(keyframes, "_KEPT", 3)
    bump = Bump()
    gain = keyed(frowning(), bump)
    for row in range(60):
        gain.at([row])
    assert len(bump.asked) <= (gain._changed[gain._keys]).sum() + 2
    assert len(gain._maps) <= 3


def test_groups_as_on_a_gpu_are_every_frame_itself(keyed):
    expressions = frowning()
    gain = keyed(expressions)
    gain._keys, gain._group = np.arange(60), 16
    coarse = keyed(expressions)
    for row in (20, 30, 41):
        exact, blended = gain.at([row]), coarse.at([row])
        assert (exact - blended).abs().max() < 0.1 * exact.abs().max()


def test_detail_scales_the_logarithm(keyed):
    full, half = (keyed(frowning(), detail=detail).at([30]).double().log1p() for detail in (1.0, 0.5))
    torch.testing.assert_close(half, full / 2, atol=2e-3, rtol=0)


def test_what_trembles_does_not_reach_the_skin(keyed):
    calm, trembling = frowning(strength=0.6), frowning(strength=0.6)
    noise = 0.1 * torch.rand(60, 52, generator=torch.Generator().manual_seed(0))
    trembling.before.add_(noise)
    trembling.after.add_(noise)
    one, other = keyed(calm), keyed(trembling)
    other._keys = one._keys
    for row in (25, 26, 30, 34):
        torch.testing.assert_close(one.at([row]), other.at([row]), atol=0.02, rtol=0)


def test_small_faces_get_no_more_than_they_can_show():
    rows = torch.arange(64) % 2 * 1.0
    checker = (rows[:, None] - rows).abs()[..., None].repeat(1, 1, 3)
    assert prefiltered(checker, 1.0) is checker
    assert prefiltered(checker, 3.0) is checker
    contrast = [float(prefiltered(checker, pitch).std()) for pitch in (0.99, 0.8, 0.6, 0.5, 0.3)]
    assert contrast == sorted(contrast, reverse=True)
    assert contrast[-1] < 0.01
    below, above = prefiltered(checker, 0.2501), prefiltered(checker, 0.2499)
    torch.testing.assert_close(below, above, atol=1e-2, rtol=0)
    assert float(prefiltered(checker + 0.5, 0.01).mean()) == pytest.approx(1.0, abs=1e-3)


def test_a_tiny_face_is_prefiltered(model, feather):
    class Fine:
        def __call__(self, before, after, light):
            stripes = (torch.arange(128) % 2 - 0.5)[None, None, None].expand(len(before), 3, 128, -1)
            return 0.5 * stripes

    large, tiny = frowning(), frowning()
    tiny.scale.fill_(25.0)
    near, far = (KeyedGain(model, Fine(), feather, e, 1.0).at([30]).std() for e in (large, tiny))
    assert far < 0.25 * near


def test_wild_changes_stay_finite(keyed):
    gain = keyed(frowning(), lambda *_: torch.full((1, 3, SIDE, SIDE), 1e6)).at([30])
    assert torch.isfinite(gain).all()


def test_the_feather_ends_at_outline_lids_and_lips(model, feather):
    from talkedit_sdk.texture.uv import TexelMap

    mask, texels = feather(128), TexelMap(model, 128)
    assert feather(128) is mask
    assert not mask[torch.from_numpy(~texels.inside)].any()

    def at(*vertices):
        u, v = (model.uv[list(vertices)] * 128 - 0.5).round().long().unbind(1)
        return mask[v, u]

    assert (at(10, 152, 234, 454, 159, 145, 386, 374, 13, 14) < 0.1).all()
    assert (at(9, 151, 205, 425, 2, 18, 117, 346) > 0.9).all()
