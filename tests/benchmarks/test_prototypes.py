from __future__ import annotations

import pytest
import torch

from talkedit_sdk.emotion import EMOTIONS
from talkedit_sdk.face.topology import BLENDSHAPES, INDEX, mirrored_name

FLIP = [INDEX[mirrored_name(name)] for name in BLENDSHAPES]


@pytest.fixture(scope="module")
def of(prototypes):
    return lambda name: prototypes.targets()[EMOTIONS.index(name)]


@pytest.mark.parametrize("name", EMOTIONS)
def test_targets_are_coefficients(of, name):
    target = of(name)
    assert target.shape == (52,)
    assert target.min() >= 0
    assert target.max() <= 1
    assert bool(target.any()) == (name != "neutral")


@pytest.mark.parametrize("name", [name for name in EMOTIONS if name != "contempt"])
def test_emotions_have_two_equal_sides(of, name):
    assert torch.equal(of(name), of(name)[FLIP])


def test_contempt_has_one_side(of):
    target = of("contempt")
    smile = [INDEX["mouthSmileLeft"], INDEX["mouthSmileRight"]]
    assert (target[smile] > 0).sum() == 1


@pytest.mark.parametrize(
    ("name", "shapes"),
    [
        ("happy", ("mouthSmileLeft", "cheekSquintLeft")),  # action units 12 and 6
        ("sad", ("browInnerUp", "mouthFrownLeft")),  # 1 and 15
        ("angry", ("browDownLeft", "mouthPressLeft")),  # 4 and 24
        ("surprised", ("browInnerUp", "browOuterUpLeft", "eyeWideLeft", "jawOpen")),  # 1, 2, 5 and 26
        ("fearful", ("browInnerUp", "browDownLeft", "eyeWideLeft", "mouthStretchLeft")),  # 1, 4, 5 and 20
        ("disgusted", ("noseSneerLeft", "mouthUpperUpLeft")),  # 9 and 10
    ],
)
def test_the_action_units_of_each_emotion(of, name, shapes):
    assert all(of(name)[INDEX[shape]] > 0.1 for shape in shapes)


def test_no_two_emotions_look_alike(of):
    rows = torch.nn.functional.normalize(torch.stack([of(name) for name in EMOTIONS if name != "neutral"]), dim=1)
    likeness = rows @ rows.T - torch.eye(len(rows))
    assert likeness.max() < 0.9


def test_what_is_taken_out(prototypes):
    lasting = prototypes.lasting()
    assert lasting.min() >= 0
    assert lasting.max() <= 1
    assert torch.equal(lasting, lasting[FLIP])
    for name in ("mouthSmileLeft", "mouthFrownRight", "browDownLeft"):
        assert lasting[INDEX[name]] == 1
    for name in ("jawOpen", "eyeBlinkLeft", "mouthClose", "mouthPucker", "eyeLookUpLeft"):
        assert lasting[INDEX[name]] == 0, "speech, blinks and gaze are no mood"
