from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from talkedit_sdk.errors import OptionError
from talkedit_sdk.face.mouths import openness, parting
from talkedit_sdk.face.topology import INDEX, LIPS_INNER
from talkedit_sdk.face.track import MouthView
from talkedit_sdk.hub import EMBEDDED
from talkedit_sdk.manifest import MANIFEST, Manifest
from talkedit_sdk.render.interior import UPPER
from talkedit_sdk.render.nobody import Nobody
from talkedit_sdk.training import mouth
from talkedit_sdk.training.mouth import LEAST_PEOPLE, learn, straightened

UNIT = 300.0
INCISOR = 0.094  # width of a front tooth, model units


@pytest.fixture(scope="module")
def people(model):
    """Twenty drawn people with mouths wide open: upper teeth, none quite alike, darkness, tongue."""
    row = torch.zeros(len(INDEX))
    row[INDEX["jawOpen"]] = 0.8
    opened = (model.mean + model.displacement(row)).numpy()
    random = np.random.default_rng(0)
    return [(f"person {index}", drawn(opened, random)) for index in range(20)]


def drawn(shape, random):
    points = np.zeros((478, 3), np.float32)
    points[:468] = UNIT * shape
    lips = points[list(LIPS_INNER), :2]
    points[:, :2] += np.array([150, 100], np.float32) - lips.mean(0)
    skin = random.uniform(90, 210) * np.array([1.0, 0.8, 0.7])
    rgb = np.full((240, 300, 3), skin, np.float32)
    contour = np.rint(points[list(LIPS_INNER), :2]).astype(np.int32)
    inside = np.zeros(rgb.shape[:2], np.uint8)
    cv2.fillPoly(inside, [contour], [1])
    top = points[list(UPPER), 1].min() - 2
    edge = top + UNIT * random.uniform(0.065, 0.075)
    teeth = 1.2 * skin.mean() * np.ones(3)
    rows, columns = np.mgrid[: rgb.shape[0], : rgb.shape[1]]
    scale, shift = UNIT * random.uniform(0.95, 1.05), points[UPPER[5], 0] + random.uniform(-3, 3)
    across = np.abs(columns - shift) / scale
    gaps = np.min([np.abs(across - at) for at in (0, INCISOR, 0.163, 0.218)], axis=0) < 0.008
    depth = ((rows - edge) / (contour[:, 1].max() - edge)).clip(0, 1)[..., None]
    mouth = np.where((rows < edge)[..., None], teeth * np.where(gaps, 0.6, 1.0)[..., None], skin * (0.1 + 0.5 * depth))
    rgb = np.where(inside[..., None] > 0, mouth, rgb)
    picture = cv2.GaussianBlur(rgb + random.normal(0, 3, rgb.shape), (0, 0), 0.8).clip(0, 255).astype(np.uint8)
    return MouthView(points, picture, parting(picture, points))


@pytest.fixture(scope="module")
def learned(people, model):
    return learn(iter(people), model)


def test_the_mean_of_many_is_a_wide_open_mouth(learned, people):
    nobody, count = learned
    assert count >= LEAST_PEOPLE
    points = np.pad(nobody.landmarks[0].numpy(), ((0, 10), (0, 0)))
    assert openness(points) == pytest.approx(openness(people[0][1].landmarks), rel=0.1)
    assert 0.2 < nobody.partings.mean() < 0.75


def test_teeth_over_darkness_over_tongue(learned):
    nobody, _ = learned
    rgb = nobody.rgb[0].numpy().astype(float).mean(-1)
    middle = rgb.shape[1] // 2
    upper, lower = (nobody.landmarks[0, vertex, 1].item() for vertex in (13, 14))
    teeth = rgb[int(upper + 5) : int(upper + 10), middle + 5 : middle + 13].mean()
    heights = [rgb[int(upper + share * (lower - upper)), middle - 8 : middle + 8].mean() for share in (0.45, 0.9)]
    assert teeth > 2 * heights[0]
    assert heights[1] > 1.3 * heights[0]


def test_teeth_are_told_apart(learned):
    """People differ by 5 % in width and 1 % of the face in place, yet the lines between teeth survive the mean."""
    nobody, _ = learned
    rgb = nobody.rgb[0].numpy().astype(float).mean(-1)
    upper = int(nobody.landmarks[0, 13, 1])
    line = rgb[upper + 4 : upper + 10].mean(0)
    middle = (rgb.shape[1] - 1) / 2
    for at in (-INCISOR, 0.0, INCISOR):
        place = round(middle + 192 * at)
        between, beside = line[place - 2 : place + 3].min(), line[[place - 9, place + 9]].mean()
        assert between < 0.93 * beside


def test_both_sides_are_alike(learned):
    rgb = learned[0].rgb[0].numpy().astype(int)
    assert np.abs(rgb - rgb[:, ::-1]).mean() < 2


def test_a_view_is_turned_straight(people, model):
    """The same mouth seen rolled and smaller comes out nearly the same."""
    person, view = people[0]
    matrix = cv2.getRotationMatrix2D((150, 100), 12, 0.7)
    turned = view.landmarks.copy()
    turned[:, :2] = turned[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    turned[:, 2] *= 0.7
    rgb = cv2.warpAffine(view.rgb, matrix, view.rgb.shape[1::-1], borderMode=cv2.BORDER_REPLICATE)
    one = straightened(person, view, model)
    other = straightened(person, MouthView(turned, rgb, view.parting), model)
    np.testing.assert_allclose(one.shape[:, :2], other.shape[:, :2], atol=1.0)
    both = (one.seen > 0) & (other.seen > 0)
    assert np.abs(one.rgb - other.rgb)[both].mean() < 0.08
    assert one.edge == pytest.approx(other.edge, abs=2)


def test_too_few_people(people, model):
    with pytest.raises(OptionError, match="people"):
        learn(iter(people[: LEAST_PEOPLE - 1]), model)
    with pytest.raises(OptionError, match="people"):
        learn(iter([]), model)


def test_a_folder_of_weights_with_its_card(people, tmp_path, monkeypatch):
    monkeypatch.setattr(mouth, "list_items", lambda data: [])
    monkeypatch.setattr(mouth, "views_of", lambda items: iter([*people, people[0]]))
    out = tmp_path / "out"
    found = mouth.train_from_folder(tmp_path, EMBEDDED, out)
    assert (found["views"], found["people"]) == (21, 20)
    card = " ".join((out / "README.md").read_text().split())
    assert "# talkedit mouth of nobody" in card
    assert "(21 views of 20 people)" in card
    assert f"of {found['people_in_a_mean']} people or more" in card
    assert Manifest.read(out / MANIFEST, "it") == Manifest.of(out)
    Nobody.load(out)
