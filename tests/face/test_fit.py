from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import lsq_linear
from torch import Tensor, nn

from talkedit_sdk.face.fit import CHUNK, bend, first_guess, fit, fit_frames, fit_neutral, solve_bounded
from talkedit_sdk.face.model import euler_angles
from talkedit_sdk.face.pose import Pose
from talkedit_sdk.face.topology import BLENDSHAPES, INDEX, MIRRORED, VERTICES
from talkedit_sdk.face.track import LANDMARKS, FaceTrack


def rotations(pitch: Tensor, yaw: Tensor, roll: Tensor) -> Tensor:
    zero = torch.zeros_like(pitch)
    turn = torch.stack([zero, -roll, yaw, roll, zero, -pitch, -yaw, pitch, zero], -1)
    return torch.matrix_exp(turn.view(-1, 3, 3).double()).float()


@dataclass(frozen=True)
class Person:
    """Someone made with the model: everything that a fit should find."""

    neutral: Tensor
    coefficients: Tensor
    pose: Pose
    vertices: Tensor
    times: np.ndarray

    def track(self, segments=None) -> FaceTrack:
        count = len(self.vertices)
        landmarks = np.zeros((count, LANDMARKS, 3), np.float32)
        landmarks[:, :VERTICES] = self.vertices
        segments = np.zeros(count, np.int64) if segments is None else segments
        return FaceTrack(0, np.arange(count), landmarks, np.ones(count, np.float32), segments)


def person(model, seed=0, count=60, noise=0.5, coefficients=None) -> Person:
    """A stranger who moves head and face for a while; `noise` in pixels of a face of 150 pixels."""
    generator = torch.Generator().manual_seed(seed)
    times = torch.arange(count) / 25
    alpha = torch.randn(len(model.identity), generator=generator).clamp(-2, 2)
    neutral = model.mean + torch.einsum("k,kvc->vc", alpha, model.identity)
    if coefficients is None:
        rate, phase, size = torch.rand(3, 52, generator=generator)
        wave = torch.sin(2 * torch.pi * (0.4 + 1.5 * rate) * times[:, None] + 6.28 * phase)
        coefficients = 0.6 * size * (size > 0.5) * wave.clamp_min(0)
    head = rotations(0.15 * torch.sin(times), 0.3 * torch.sin(0.7 * times + seed), 0.1 * torch.cos(times))
    shift = torch.stack([300 + 20 * torch.sin(times), 250 + 10 * times, 0 * times], -1)
    pose = Pose(150 + 10 * torch.sin(times), head, shift)
    exact = pose.to_picture(neutral + model.displacement(coefficients) + bend(model, pose))
    vertices = exact + noise * torch.randn(exact.shape, generator=generator)
    return Person(neutral, coefficients, pose, vertices, times.double().numpy())


class Oracle(nn.Module):
    """Knows the coefficients, to test all but the regressor. Is asked twice: about the face and its mirror image."""

    def __init__(self, coefficients: Tensor) -> None:
        super().__init__()
        self.answers = itertools.cycle((coefficients, coefficients[:, list(MIRRORED)]))

    def forward(self, offsets: Tensor) -> Tensor:
        return next(self.answers)[: len(offsets)]


def degrees(found: Pose, expected: Pose) -> Tensor:
    traces = torch.einsum("tij,tij->t", found.rotation.double(), expected.rotation.double())
    return torch.arccos(((traces - 1) / 2).clamp(-1, 1)).rad2deg()


def picture_of(model, neutral, pose, coefficients):
    return pose.to_picture(neutral + model.displacement(coefficients) + bend(model, pose))


@given(st.integers(0, 2**31), st.integers(1, 12), st.floats(0.01, 2))
@settings(max_examples=25)
def test_solve_bounded_is_bounded_least_squares(seed, unknowns, scale):
    random = np.random.default_rng(seed)
    matrix = scale * random.normal(size=(20, unknowns))
    targets = matrix @ random.uniform(-0.5, 1.5, (unknowns, 3)) + 0.1 * random.normal(size=(20, 3))
    expected = np.stack([lsq_linear(matrix, target, (0, 1), tol=1e-12).x for target in targets.T])
    gram, right = torch.from_numpy(matrix.T @ matrix), torch.from_numpy(targets.T @ matrix)
    start = torch.from_numpy(random.uniform(size=(3, unknowns)))
    found = solve_bounded(gram, right, start, 4000).numpy()
    assert found.min() >= 0
    assert found.max() <= 1
    cost = [((x @ matrix.T - targets.T) ** 2).sum(1) for x in (found, expected)]
    np.testing.assert_allclose(cost[0], cost[1], rtol=1e-5, atol=1e-9)


def test_sixty_rounds_are_enough_for_the_model(model):
    """As few as `fit` takes, from as bad a start as there can be."""
    weighted = model.expression.flatten(1) * (5e3 / VERTICES * model.precision.flatten())
    gram = (weighted @ model.expression.flatten(1).T + torch.eye(52)).double()
    target = torch.rand(8, 52, generator=torch.Generator().manual_seed(0)).double() @ gram
    quick, exact = (solve_bounded(gram, target, torch.zeros_like(target), rounds) for rounds in (60, 5000))
    assert (quick - exact).abs().max() < 0.02


@pytest.mark.parametrize("seed", range(3))
def test_what_the_regressor_knows_is_found_again(model, seed):
    someone = person(model, seed, noise=0.5)
    found = fit(replace(model, regressor=Oracle(someone.coefficients)), someone.track(), someone.times)
    interior = slice(3, -3)  # the ends are averaged over one side only
    assert (found.coefficients - someone.coefficients)[interior].abs().mean() < 0.02
    assert (found.coefficients - someone.coefficients)[interior].abs().max() < 0.15
    assert (found.neutral - someone.neutral).norm(dim=1).mean() < 0.02
    assert degrees(found.pose, someone.pose).max() < 1
    torch.testing.assert_close(found.pose.scale, someone.pose.scale, rtol=0.02, atol=0)
    assert found.error.max() < 0.012


@pytest.mark.parametrize("seed", range(2))
def test_strangers_are_explained_within_a_pixel(model, seed):
    someone = person(model, seed, noise=0.5)
    found = fit(model, someone.track(), someone.times)
    exact = picture_of(model, someone.neutral, someone.pose, someone.coefficients)
    again = picture_of(model, found.neutral, found.pose, found.coefficients)
    assert (again - exact)[..., :2].norm(dim=-1).mean() < 1.2, "of a face of 150 pixels"
    assert degrees(found.pose, someone.pose).max() < 2
    assert found.coefficients.shape == (60, 52)
    assert found.coefficients.min() >= 0
    assert found.coefficients.max() <= 1


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("name", ["jawOpen", "mouthSmile", "browOuterUp", "eyeBlink", "mouthFrown", "mouthLeft"])
def test_single_expressions_are_told_by_name(model, name, seed):
    curve = 0.4 - 0.4 * torch.cos(2 * torch.pi * 1.2 * torch.arange(50) / 25)
    coefficients = torch.zeros(50, 52)
    spelled = [name] if name in INDEX else [f"{name}Left", f"{name}Right"]
    columns = [INDEX[n] for n in spelled]
    coefficients[:, columns] = curve[:, None]
    someone = person(model, seed, count=50, coefficients=coefficients)
    found = fit(model, someone.track(), someone.times).coefficients
    told = found[:, columns].mean(1)
    assert torch.corrcoef(torch.stack([told, curve]))[0, 1] > 0.9
    own = np.polyfit(curve, found, 1)[0]  # how far each coefficient follows the curve
    assert own[columns].min() > 0.2
    assert np.median(np.abs(own)) < 0.15, "most of the others hardly notice"


def test_a_turned_and_moved_picture_gives_the_same_face(model):
    someone = person(model, 4, count=20, noise=0.3)
    once = fit(model, someone.track(), someone.times)
    angle, scale = 0.4, 2.5
    turn = rotations(torch.zeros(1), torch.zeros(1), torch.tensor([angle]))[0]
    shift = torch.tensor([-120.0, 40.0, 0.0])
    moved = replace(someone, vertices=scale * someone.vertices @ turn.T + shift)
    # The detector's bend depends on the roll: without it the fit knows no upright.
    upright = replace(model, pose=torch.zeros_like(model.pose))
    first, second = (fit(upright, who.track(), who.times) for who in (someone, moved))
    torch.testing.assert_close(second.coefficients, first.coefficients, rtol=0, atol=5e-3)
    torch.testing.assert_close(second.neutral, first.neutral, rtol=0, atol=1e-3)
    torch.testing.assert_close(second.pose.scale, scale * first.pose.scale, rtol=1e-3, atol=0)
    torch.testing.assert_close(second.pose.rotation, turn @ first.pose.rotation, rtol=0, atol=2e-3)
    larger = replace(someone, vertices=scale * someone.vertices + shift)
    again = fit(model, larger.track(), larger.times)
    torch.testing.assert_close(again.coefficients, once.coefficients, rtol=0, atol=5e-3)


def test_wild_landmarks_hardly_matter(model):
    someone = person(model, 1, count=30, noise=0.3)
    model = replace(model, regressor=Oracle(someone.coefficients))
    clean = fit(model, someone.track(), someone.times)
    wild = someone.vertices.clone()
    wild[10:14, [205, 425, 61, 17]] += torch.tensor([0.0, -60.0, 0.0])
    hit = fit(model, replace(someone, vertices=wild).track(), someone.times)
    assert degrees(hit.pose, clean.pose).max() < 0.5
    assert (hit.coefficients - clean.coefficients).abs().max() < 0.2
    assert (hit.coefficients - clean.coefficients)[20:].abs().max() < 0.02, "least of all in the frames around"
    assert (hit.error[10:14] > 2 * clean.error[10:14]).all(), "but they are noticed"


def test_the_head_is_where_it_looks(model):
    angles = torch.tensor([[0.0, 0.0, 0.0], [0.2, 0.0, 0.0], [0.0, 0.4, 0.0], [0.0, -0.4, 0.0], [0.0, 0.0, 0.5]])
    pose = Pose(torch.full((5,), 100.0), rotations(*angles.T), torch.tensor([[200.0, 200.0, 0.0]]).expand(5, -1))
    vertices = pose.to_picture(model.mean) + pose.rotate(bend(model, pose))
    found, _, error = fit_frames(model, model.mean, vertices)
    torch.testing.assert_close(euler_angles(found.rotation), angles, rtol=0, atol=0.03)
    assert error.max() < 0.03


def test_no_lag(model):
    """A sudden movement begins neither earlier nor later than in the landmarks."""
    coefficients = torch.zeros(40, 52)
    coefficients[20:, INDEX["jawOpen"]] = 0.7
    someone = person(model, 2, count=40, noise=0, coefficients=coefficients)
    jaw = fit(replace(model, regressor=Oracle(coefficients)), someone.track(), someone.times)
    curve = jaw.coefficients[:, INDEX["jawOpen"]]
    assert curve.diff().argmax() == 19
    half = (curve[:15].mean() + curve[25:].mean()) / 2
    assert (curve[:20] < half).all()
    assert (curve[20:] > half).all()


def test_cuts_are_not_smoothed_over(model):
    coefficients = torch.zeros(20, 52)
    coefficients[10:, INDEX["jawOpen"]] = 0.7
    someone = person(model, 2, count=20, noise=0, coefficients=coefficients)
    segments = (np.arange(20) >= 10).astype(np.int64)
    close = np.arange(20) / 120  # frames so close that smoothing reaches over several of them
    apart, joined = (
        fit(model, someone.track(cut), close).coefficients[:, INDEX["jawOpen"]] for cut in (segments, None)
    )
    assert apart[10] - apart[9] > 1.3 * (joined[10] - joined[9])


@pytest.mark.parametrize("count", [1, 2, 5])
def test_very_short_clips(model, count):
    someone = person(model, 3, count=count)
    found = fit(model, someone.track(), someone.times)
    assert found.coefficients.shape == (count, 52)
    assert torch.isfinite(found.neutral).all()
    assert torch.isfinite(found.coefficients).all()
    assert found.error.max() < 0.05


def test_long_clips_are_fitted_in_pieces_that_fit_together(model):
    count = CHUNK + 40
    someone = person(model, 5, count=count)
    found = fit(model, someone.track(), someone.times)
    assert len(found.coefficients) == len(found.pose.scale) == len(found.error) == count
    step = found.coefficients.diff(dim=0).abs().mean(1)
    assert step[CHUNK - 1] < 4 * step.median(), "no jump between the pieces"


def test_the_neutral_face_of_a_few_frames_leans_on_the_model(model):
    someone = person(model, 6, count=120, noise=1.0)
    errors = [
        (fit_neutral(model, someone.vertices[rows]) - someone.neutral).norm(dim=1).mean()
        for rows in (slice(0, 1), slice(0, 120))
    ]
    assert errors[1] < 0.03
    assert errors[0] < 0.06


def test_the_first_guess_is_bounded(model):
    wild = 100 * torch.randn(3, VERTICES, 3, generator=torch.Generator().manual_seed(0))
    guess, _ = first_guess(model, wild)
    assert guess.shape == (3, len(BLENDSHAPES))
    assert guess.min() >= 0
    assert guess.max() <= 1
