from __future__ import annotations

from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from talkedit_sdk.editor import EMBEDDED
from talkedit_sdk.face.model import FaceModel
from talkedit_sdk.face.topology import BONE, LIPS_INNER, VERTICES
from talkedit_sdk.face.track import LANDMARKS

Array = NDArray[Any]

COUNT = 40
FRAMES = np.arange(COUNT)
LOWER_LIP = list(LIPS_INNER[11:])


@pytest.fixture(scope="module")
def face() -> Array:
    """(478, 3) a still face, 200 pixels high, in the middle of a picture of 400."""
    points = np.zeros((LANDMARKS, 3))
    points[:VERTICES] = FaceModel.load(EMBEDDED).mean.numpy()
    points -= points.mean(0)
    points *= 200 / np.ptp(points[:, 1])
    points[:, :2] += 200
    return points


@pytest.fixture(scope="module")
def talk(face: Array) -> Array:
    """(40, 478, 3) the face while its lower lip goes up and down by up to a tenth of its height."""
    return talking(face, 10 + 10 * np.sin(FRAMES / 2))


def talking(face: Array, gaps: Array) -> Array:
    """Lips that meet at a gap of 0 pixels."""
    frames = np.repeat(face[None], len(gaps), axis=0)
    upper = face[[81, 82, 13, 312, 311], 1].mean()
    frames[:, LOWER_LIP, 1] = upper + gaps[:, None]
    return frames


def turned(landmarks: Array, degrees: float, axis: int = 1) -> Array:
    vector = np.zeros(3)
    vector[axis] = np.radians(degrees)
    centre = np.array([200.0, 200.0, 0.0])
    return np.asarray((landmarks - centre) @ cv2.Rodrigues(vector)[0].T + centre)


def picture() -> Array:
    noise = np.random.default_rng(7).integers(0, 256, (400, 400, 3)).astype(np.uint8)
    return np.asarray(cv2.GaussianBlur(noise, (0, 0), 2))


def test_mouth_opening_is_the_gap_in_face_heights(metrics: ModuleType, face: Array) -> None:
    height = np.linalg.norm(face[152, :2] - face[10, :2])
    opening = metrics.mouth_opening(talking(face, np.array([0.0, 10.0, -5.0])))
    assert opening * height == pytest.approx([0, 10, -5], abs=0.1)


def test_mouth_opening_does_not_depend_on_scale_or_roll(metrics: ModuleType, talk: Array) -> None:
    rolled = turned(talk, 25, axis=2) * 3 + 50
    assert metrics.mouth_opening(rolled) == pytest.approx(metrics.mouth_opening(talk), abs=1e-9)


def test_mouth_correlation_tells_other_words_and_still_lips(metrics: ModuleType, talk: Array, face: Array) -> None:
    opening = metrics.mouth_opening(talk)
    assert metrics.mouth_correlation(opening, 0.5 * opening + 0.02) == pytest.approx(1)
    other = metrics.mouth_opening(talking(face, 10 + 10 * np.cos(FRAMES / 2)))
    assert metrics.mouth_correlation(opening, other) < 0.3
    still = metrics.mouth_opening(talking(face, np.full(COUNT, 4.0)))
    assert np.isnan(metrics.mouth_correlation(still, opening))


def test_closure_recall_is_the_share_of_closures_kept(metrics: ModuleType) -> None:
    source = np.full(COUNT, 0.05)
    source[[5, 15, 25, 35]] = 0.002
    assert metrics.closure_recall(source, source, FRAMES) == 1
    assert metrics.closure_recall(source, np.full(COUNT, 0.03), FRAMES) == 0
    half = source.copy()
    half[[5, 15]] = 0.03
    assert metrics.closure_recall(source, half, FRAMES) == 0.5
    assert metrics.closure_recall(source, np.roll(source, 1), FRAMES) == 1
    assert metrics.closure_recall(source, np.roll(source, 2), FRAMES) == 0
    assert np.isnan(metrics.closure_recall(np.full(COUNT, 0.05), source, FRAMES))


def test_closure_recall_counts_frames_not_rows(metrics: ModuleType) -> None:
    source, edited = np.array([0.002, 0.05, 0.05]), np.array([0.05, 0.002, 0.05])
    assert metrics.closure_recall(source, edited, np.array([0, 1, 2])) == 1
    assert metrics.closure_recall(source, edited, np.array([0, 9, 10])) == 0


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_rotation_of_two_degrees_is_a_drift_of_two(metrics: ModuleType, talk: Array, axis: int) -> None:
    rest = metrics.rest_shape(talk)
    assert metrics.pose_drift(talk, turned(talk, 2, axis), rest) == pytest.approx(np.full(COUNT, 2.0), abs=1e-3)
    assert metrics.pose_drift(talk, 1.2 * talk + 30, rest) == pytest.approx(np.zeros(COUNT), abs=1e-3)


def test_drift_ignores_all_but_the_rigid_points(metrics: ModuleType, talk: Array) -> None:
    smiling = talk.copy()
    soft = np.setdiff1d(np.arange(VERTICES), BONE)
    smiling[:, soft] += 8.0
    assert metrics.pose_drift(talk, smiling, metrics.rest_shape(talk)) == pytest.approx(np.zeros(COUNT), abs=1e-3)


def test_model_space_takes_the_motion_of_the_head_out(metrics: ModuleType, talk: Array) -> None:
    moving = np.stack([turned(points, 10 * np.sin(i / 5)) * (1 + i / 100) + i for i, points in enumerate(talk)])
    rest = metrics.rest_shape(talk)
    still, undone = metrics.in_model_space(talk, rest), metrics.in_model_space(moving, rest)
    assert undone == pytest.approx(still, abs=1e-6)
    assert np.linalg.norm(rest[33] - rest[263]) == pytest.approx(1, abs=0.01)


def test_jitter_ratio_grows_with_trembling_and_not_with_a_lasting_change(metrics: ModuleType, talk: Array) -> None:
    rng = np.random.default_rng(1)
    source = talk + rng.normal(0, 0.2, talk.shape)
    assert metrics.jitter_ratio(source, source + np.linspace(0, 9, COUNT)[:, None, None], FRAMES) == pytest.approx(1)
    trembling = source + rng.normal(0, 0.2, talk.shape)
    assert 1.2 < metrics.jitter_ratio(source, trembling, FRAMES) < 1.6


def test_jitter_does_not_cross_gaps(metrics: ModuleType, talk: Array) -> None:
    jumping = talk.copy()
    jumping[20:] += 50.0
    frames = np.where(FRAMES < 20, FRAMES, FRAMES + 30)
    assert metrics.jitter_ratio(talk, jumping, FRAMES) > 1.5
    assert metrics.jitter_ratio(talk, jumping, frames) == pytest.approx(1)
    assert np.isnan(metrics.jitter_ratio(talk, talk, 2 * FRAMES))


def test_blurring_lowers_sharpness_inside_the_face_only(metrics: ModuleType, face: Array) -> None:
    sharp = picture()
    blurred = cv2.GaussianBlur(sharp, (0, 0), 1)
    assert metrics.sharpness(blurred, face) < 0.8 * metrics.sharpness(sharp, face)
    around = sharp.copy()
    around[:60], around[-60:] = blurred[:60], blurred[-60:]
    assert metrics.sharpness(around, face) == metrics.sharpness(sharp, face)


def test_skin_detail_sees_blur_and_neither_grain_nor_eyes(metrics: ModuleType, face: Array) -> None:
    clean = picture()
    detail = metrics.skin_detail(clean, face)
    assert metrics.skin_detail(cv2.GaussianBlur(clean, (0, 0), 1), face) < 0.8 * detail
    grainy = np.clip(clean + np.random.default_rng(2).normal(0, 2, clean.shape), 0, 255).round().astype(np.uint8)
    plain = metrics.sharpness(grainy, face) / metrics.sharpness(clean, face)
    assert abs(metrics.skin_detail(grainy, face) / detail - 1) < 0.2 * abs(plain - 1)
    blind = clean.copy()
    for x, y in face[[159, 386, 13], :2].astype(int):
        blind[y - 1 : y + 2, x - 2 : x + 3] = 0
    assert metrics.skin_detail(blind, face) == pytest.approx(detail, rel=2e-3)


def test_a_face_half_outside_the_picture_has_a_sharpness(metrics: ModuleType, face: Array) -> None:
    aside = face - np.array([200.0, 0, 0])
    assert metrics.sharpness(picture(), aside) > 0
    assert metrics.skin_detail(picture(), aside) > 0


def test_untouched_share_counts_changes_outside_the_face(metrics: ModuleType, face: Array) -> None:
    source = picture()
    inside, outside = source.copy(), source.copy()
    inside[150:250, 150:250] += 1
    outside[:4, :, 1] ^= 1
    assert metrics.untouched_share(source, inside, face) == 1
    share = metrics.untouched_share(source, outside, face)
    assert 1 - 4 * 400 / 60_000 < share < 1 - 4 * 400 / 160_000


def test_linearity_falls_where_an_intensity_does_nothing(metrics: ModuleType) -> None:
    smile = np.random.default_rng(3).normal(size=(VERTICES, 3))
    steps = (0.25, 0.5, 0.75, 1.0)
    assert metrics.linearity([step * smile for step in steps], steps) == pytest.approx(1)
    assert metrics.linearity([float(step == 1) * smile for step in steps], steps) < 0.8
    assert np.isnan(metrics.linearity([0 * smile for _ in steps], steps))


def test_log_odds_are_finite_and_rise_with_the_label(metrics: ModuleType) -> None:
    odds = metrics.log_odds(np.array([0.0, 0.5, 0.9, 1.0]))
    assert odds[1] == 0
    assert np.isfinite(odds).all()
    assert (np.diff(odds) > 0).all()
