from __future__ import annotations

from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from talkedit_sdk.face.topology import BONE, EYE_LEFT, EYE_RIGHT, IRIS_LEFT, IRIS_RIGHT, LIPS_INNER, VERTICES

Array = NDArray[Any]

COUNT = 40
FRAMES = np.arange(COUNT)
LOWER_LIP = list(LIPS_INNER[11:])


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


def lidded(face: Array, openings: Array) -> Array:
    """The lower lids as far from the upper ones as in the face, times (T,) openings."""
    frames = np.repeat(face[None], len(openings), axis=0)
    for eye in (EYE_RIGHT, EYE_LEFT):
        for upper, lower in zip(eye[1:8], eye[:8:-1], strict=True):
            frames[:, lower] = face[upper] + openings[:, None] * (face[lower] - face[upper])
    return frames


def turned(landmarks: Array, degrees: float, axis: int = 1) -> Array:
    vector = np.zeros(3)
    vector[axis] = np.radians(degrees)
    centre = np.array([200.0, 200.0, 0.0])
    return np.asarray((landmarks - centre) @ cv2.Rodrigues(vector)[0].T + centre)


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


def test_an_elliptic_iris_is_told_and_a_shut_eye_is_not(metrics: ModuleType, face: Array) -> None:
    source = np.repeat(face[None], COUNT, axis=0)
    edited = source.copy()
    for iris in (IRIS_RIGHT, IRIS_LEFT):
        rim = list(iris[1:])
        edited[:, rim, 1] = face[iris[0], 1] + 1.3 * (face[rim, 1] - face[iris[0], 1])
    assert metrics.iris_roundness(source, source) == pytest.approx(np.ones(COUNT))
    assert metrics.iris_roundness(source, edited) == pytest.approx(np.full(COUNT, 1.3))
    openings = np.where(FRAMES < 5, 0.2, 1.0)
    blinking = lidded(face, openings)
    assert np.isnan(metrics.iris_roundness(source, blinking)).tolist() == (FRAMES < 5).tolist()


def test_gaze_drift_is_in_iris_radii_and_the_head_may_move(metrics: ModuleType, face: Array) -> None:
    source = np.repeat(face[None], COUNT, axis=0)
    edited = source.copy()
    radius = np.linalg.norm(face[IRIS_RIGHT[1]] - face[IRIS_RIGHT[3]]) / 2
    edited[:, [*IRIS_RIGHT, *IRIS_LEFT], 0] += 0.5 * radius
    assert metrics.gaze_drift(source, edited) == pytest.approx(np.full(COUNT, 0.5))
    assert metrics.gaze_drift(source, turned(source, 20, axis=2) * 1.5 + 9) == pytest.approx(np.zeros(COUNT), abs=1e-6)


def test_a_lost_blink_lowers_the_share_of_blinks(metrics: ModuleType, face: Array) -> None:
    openings = np.ones(COUNT)
    openings[[10, 11, 12, 30]] = 0.1
    source = metrics.eye_opening(lidded(face, openings))
    assert metrics.blinks_kept(source, source, FRAMES) == 1
    half = openings.copy()
    half[30] = 0.6
    assert metrics.blinks_kept(source, metrics.eye_opening(lidded(face, half)), FRAMES) == 0.5
    late = np.roll(openings, 1)
    assert metrics.blinks_kept(source, metrics.eye_opening(lidded(face, late)), FRAMES) == 1
    assert metrics.blinks_kept(source, np.ones((COUNT, 2)), FRAMES) == 0
    assert np.isnan(metrics.blinks_kept(np.ones((COUNT, 2)), source, FRAMES))


def test_lips_are_compared_at_equal_opening(metrics: ModuleType) -> None:
    opening, width = np.linspace(0, 0.1, COUNT), np.full(COUNT, 0.35)
    source = np.stack([0.1 - 0.5 * opening, np.full(COUNT, 0.12)], -1)  # the upper lip thins as the mouth opens
    mouth = np.stack([opening, width], -1)
    assert metrics.thickness_ratio(source, source, mouth, mouth) == pytest.approx(np.ones((COUNT, 2)), abs=0.03)
    wider = opening + 0.04
    same_lips = np.stack([0.1 - 0.5 * wider, np.full(COUNT, 0.12)], -1)
    ratio = metrics.thickness_ratio(source, same_lips * (1, 0.8), mouth, np.stack([wider, width], -1))
    beyond = wider > 0.1 + metrics.SAME_OPENING
    assert np.isnan(ratio).all(1).tolist() == beyond.tolist()
    assert ratio[~beyond][:, 0] == pytest.approx(1, abs=0.08)
    assert ratio[~beyond][:, 1] == pytest.approx(0.8)


def test_the_lips_of_an_o_are_not_compared_with_those_of_an_e(metrics: ModuleType) -> None:
    pursed = FRAMES % 2 == 0
    thickness = np.where(pursed, 0.15, 0.1)[:, None] * np.ones(2)
    mouth = np.stack([np.full(COUNT, 0.02), np.where(pursed, 0.25, 0.4)], -1)
    assert metrics.thickness_ratio(thickness, thickness, mouth, mouth) == pytest.approx(np.ones((COUNT, 2)))
    assert metrics.thickness_ratio(thickness, thickness, mouth, mouth + np.array([0, 0.02])) == pytest.approx(
        np.ones((COUNT, 2))
    )


def test_mouth_width_is_in_face_heights(metrics: ModuleType, face: Array) -> None:
    wide = face[None].copy()
    wide[:, 291, 0] += 20
    height = np.linalg.norm(face[152, :2] - face[10, :2])
    widened = metrics.mouth_width(wide) - metrics.mouth_width(face[None])
    assert widened * height == pytest.approx([20], abs=0.5)
    assert metrics.mouth_width(turned(wide, 30, axis=2) * 2) == pytest.approx(metrics.mouth_width(wide))


def test_lip_thickness_goes_from_contour_to_contour(metrics: ModuleType, face: Array) -> None:
    shape = face[None, :VERTICES]
    thicker = shape.copy()
    thicker[:, [37, 0, 267], 1] -= 3
    upper, lower = (metrics.lip_thickness(thicker) - metrics.lip_thickness(shape))[0]
    assert upper == pytest.approx(3, abs=0.2)
    assert lower == 0


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
