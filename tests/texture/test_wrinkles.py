"""Folds: where an expression raises them, where it does not, and how they are lit."""

from __future__ import annotations

import pytest
import torch

from talkedit_sdk.face.topology import BLENDSHAPES, INDEX
from talkedit_sdk.texture.folds import FOLDS, FoldLook, lines
from talkedit_sdk.texture.skin import SkinMap
from talkedit_sdk.texture.uv import TexelMap
from talkedit_sdk.texture.wrinkles import WrinkleRenderer

SIDE = 128
FRONT = torch.tensor([[0.0, -0.3, -0.5]])
NEUTRAL = torch.zeros(1, 52)


@pytest.fixture(scope="module")
def skin_map(model):
    return SkinMap(model, SIDE)


@pytest.fixture(scope="module")
def renderer(model, skin_map):
    return WrinkleRenderer(model, skin_map)


@pytest.fixture(scope="module")
def regions(model, skin_map):
    return {name: torch.from_numpy(mask) for name, mask in skin_map.regions(model).items()}


def face(**muscles):
    """(1, 52) by name; a name without its side is both."""
    coefficients = torch.zeros(1, 52)
    for name, value in muscles.items():
        for spelled in (name, f"{name}Left", f"{name}Right"):
            if spelled in INDEX:
                coefficients[0, INDEX[spelled]] = value
    return coefficients


ANGRY = face(browDown=0.8, eyeSquint=0.5, noseSneer=0.4)
DISGUSTED = face(noseSneer=0.8, mouthUpperUp=0.5, browDown=0.5)
FEARFUL = face(browInnerUp=0.8, browOuterUp=0.4, browDown=0.2, eyeWide=0.7)
SAD = face(browInnerUp=0.8, mouthShrugLower=0.4, mouthFrown=0.5)
HAPPY = face(mouthSmile=0.8, cheekSquint=0.6, eyeSquint=0.4)


def darkest(gain, mask):
    return -float((gain.mean(1)[0] * mask).min())


@pytest.mark.parametrize(
    ("after", "folded"),
    [
        (ANGRY, {"glabella"}),
        (DISGUSTED, {"nose_root", "nasolabial"}),
        (FEARFUL, {"forehead"}),
        (SAD, {"forehead", "chin"}),
        (HAPPY, {"crows_feet", "nasolabial"}),
    ],
    ids=["angry", "disgusted", "fearful", "sad", "happy"],
)
def test_each_expression_folds_where_its_muscles_are(renderer, regions, after, folded):
    gain = renderer.change(NEUTRAL, after, FRONT)
    for name in folded:
        assert darkest(gain, regions[name]) > 0.08, name
    assert float(gain.min()) > -1
    assert float(gain.max()) < 0.4


def test_folds_that_belong_to_others_stay_away(renderer, regions):
    assert darkest(renderer.change(NEUTRAL, HAPPY, FRONT), regions["forehead"]) < 0.03
    assert darkest(renderer.change(NEUTRAL, ANGRY, FRONT), regions["chin"]) < 0.05
    assert darkest(renderer.change(NEUTRAL, FEARFUL, FRONT), regions["nasolabial"]) < 0.05


def test_nothing_changes_nothing(renderer):
    for same in (NEUTRAL, ANGRY, torch.rand(1, 52, generator=torch.Generator().manual_seed(0))):
        assert not bool(renderer.change(same, same, FRONT).any())


def test_change_grows_smoothly_with_the_expression(renderer):
    shares = torch.linspace(0, 1, 21)[:, None]
    gains = renderer.change(NEUTRAL.expand(21, -1), shares * DISGUSTED, FRONT.expand(21, -1))
    sizes = gains.abs().flatten(1).amax(1)
    steps = (gains[1:] - gains[:-1]).abs().flatten(1).amax(1)
    assert bool((sizes[1:] >= sizes[:-1] - 1e-4).all())
    assert float(steps.max()) < 0.15 * float(sizes[-1])


def test_folds_follow_the_side_that_moves(renderer):
    half = torch.zeros(1, 52)
    half[0, INDEX["noseSneerLeft"]] = 0.9
    dark = renderer.change(NEUTRAL, half, FRONT)[0].mean(0).clamp(max=0).abs()
    assert float(dark[:, SIDE // 2 :].sum()) > 3 * float(dark[:, : SIDE // 2].sum())


def test_light_from_the_side_shades_both_slopes_of_a_furrow_unlike(renderer, regions):
    left, right = torch.tensor([[-0.7, -0.2, -0.4]]), torch.tensor([[0.7, -0.2, -0.4]])
    one, other = (renderer.change(NEUTRAL, ANGRY, light)[0].mean(0) for light in (left, right))
    assert float(((one - other).abs() * regions["glabella"]).max()) > 0.05


def test_valleys_are_redder_than_skin(renderer, regions):
    gain = renderer.change(NEUTRAL, ANGRY, FRONT)[0]
    valley = (gain.mean(0) * regions["glabella"]) < -0.1
    red, green, blue = gain[:, valley].mean(1)
    assert red > green > blue


def test_what_relaxes_leaves_no_bright_lines(renderer):
    gain = renderer.change(FEARFUL, NEUTRAL, FRONT)
    form = renderer.change(NEUTRAL, FEARFUL, FRONT)
    assert float(gain.max()) < float(-form.min())
    assert float(gain.max()) < 0.2


def test_age_deepens(renderer, regions):
    young, middle, old = (renderer.change(NEUTRAL, ANGRY, FRONT, FoldLook(age)) for age in (0.1, 0.4, 0.9))
    depths = [darkest(gain, regions["glabella"]) for gain in (young, middle, old)]
    assert depths[0] < depths[1] < depths[2]


def test_looks_differ_from_person_to_person(renderer):
    looks = [FoldLook(seed=seed) for seed in (1, 2)]
    gains = [renderer.change(NEUTRAL, ANGRY, FRONT, look) for look in looks]
    assert float((gains[0] - gains[1]).abs().max()) > 0.05
    torch.testing.assert_close(renderer.change(NEUTRAL, ANGRY, FRONT, looks[0]), gains[0])


def test_nothing_is_drawn_beyond_the_skin_or_between_the_lips(renderer, skin_map):
    gain = renderer.change(NEUTRAL, face(mouthFrown=1, mouthShrugLower=1, browDown=1, noseSneer=1), FRONT)
    assert not bool(gain[..., torch.from_numpy(~skin_map.inside)].any())
    assert not bool(gain[..., torch.from_numpy(skin_map.mouth)].any())


def test_every_fold_has_muscles_that_exist():
    for fold in FOLDS:
        for name in fold.muscles:
            assert name in INDEX or f"{name}Left" in INDEX, name
    drawn = list(lines(FoldLook()))
    assert len(drawn) == sum(2 if fold.mirrored else 1 for fold in FOLDS)
    assert all(float(line.depth[0]) == float(line.depth[-1]) == 0 for line in drawn)


def test_coarse_and_fine_textures_show_the_same(model, renderer):
    fine = WrinkleRenderer(model, TexelMap(model, 2 * SIDE)).change(NEUTRAL, ANGRY, FRONT)
    small = torch.nn.functional.avg_pool2d(fine, 2)
    coarse = renderer.change(NEUTRAL, ANGRY, FRONT)
    both = torch.stack([small.flatten(), coarse.flatten()])
    assert float(torch.corrcoef(both)[0, 1]) > 0.9


def test_smooth_skin_folds_less_than_rough(renderer, regions):
    noise = torch.randn(2, 1, 64, 64, generator=torch.Generator().manual_seed(0)).expand(-1, 3, -1, -1)
    texture = torch.nn.functional.interpolate(noise, (256, 256), mode="bicubic")
    visible = torch.ones(2, 256, 256)
    depths = []
    for roughness in (0.005, 0.1):
        change = renderer.know(roughness * texture, visible, torch.zeros(2, 52))
        depths.append(darkest(change(NEUTRAL, ANGRY, FRONT), regions["glabella"]))
    assert 0 < depths[0] < 0.7 * depths[1]


def test_nobody_has_the_skin_of_an_adult(renderer):
    nobody = renderer.know(torch.zeros(0, 3, 256, 256), torch.zeros(0, 256, 256), torch.zeros(0, len(BLENDSHAPES)))
    torch.testing.assert_close(nobody(NEUTRAL, ANGRY, FRONT), renderer.change(NEUTRAL, ANGRY, FRONT))
