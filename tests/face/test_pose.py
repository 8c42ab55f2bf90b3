from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from talkedit_sdk.face.model import euler_angles, pose_terms
from talkedit_sdk.face.pose import Pose, align


def random_poses(count, seed, scale=(20, 400)):
    generator = torch.Generator().manual_seed(seed)
    axes = torch.randn(count, 3, 3, generator=generator, dtype=torch.float64)
    rotation = torch.matrix_exp(axes - axes.transpose(1, 2))
    scales = scale[0] + (scale[1] - scale[0]) * torch.rand(count, generator=generator, dtype=torch.float64)
    return Pose(scales, rotation, 1000 * torch.randn(count, 3, generator=generator, dtype=torch.float64))


def shape(seed, points=40):
    return torch.randn(points, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def assert_same(found, pose, tolerance):
    torch.testing.assert_close(found.scale, pose.scale, rtol=tolerance, atol=0)
    torch.testing.assert_close(found.rotation, pose.rotation, rtol=0, atol=tolerance)
    torch.testing.assert_close(found.translation, pose.translation, rtol=0, atol=tolerance * float(pose.scale.max()))


SEEDS = st.integers(0, 2**31)


@given(SEEDS)
def test_any_similarity_is_found_exactly(seed):
    pose, reference = random_poses(3, seed), shape(seed)
    assert_same(align(pose.to_picture(reference), reference, torch.ones(40, dtype=torch.float64)), pose, 1e-7)


@given(SEEDS)
def test_noise_moves_the_pose_little(seed):
    pose, reference = random_poses(4, seed), shape(seed, 400)
    noise = torch.randn(4, 400, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(seed + 1))
    noisy = pose.to_picture(reference) + 0.02 * pose.scale[:, None, None] * noise
    assert_same(align(noisy, reference, torch.ones(400, dtype=torch.float64)), pose, 0.01)


@given(SEEDS)
def test_points_of_no_weight_do_not_count(seed):
    pose, reference = random_poses(2, seed), shape(seed)
    points = pose.to_picture(reference)
    points[:, 30:] += 500
    weights = torch.ones(40, dtype=torch.float64)
    weights[30:] = 0
    assert_same(align(points, reference, weights), pose, 1e-7)
    assert_same(align(points, reference, weights.expand(2, -1)), pose, 1e-7)


def test_each_frame_may_have_its_own_reference():
    pose = random_poses(3, 1)
    reference = torch.stack([shape(seed) for seed in range(3)])
    assert_same(align(pose.to_picture(reference), reference, torch.ones(40, dtype=torch.float64)), pose, 1e-9)


def test_a_mirror_image_is_never_fitted_by_reflection():
    reference = shape(0)
    mirrored = reference * torch.tensor([-1.0, 1.0, 1.0], dtype=torch.float64)
    rotation = align(mirrored[None], reference, torch.ones(40, dtype=torch.float64)).rotation
    torch.testing.assert_close(torch.linalg.det(rotation), torch.ones(1, dtype=torch.float64))
    centred = reference - reference.mean(0)
    mirrored = mirrored - mirrored.mean(0)
    others = random_poses(500, 0).rotation
    agreement = torch.einsum("vi,tij,vj->t", mirrored, torch.cat([rotation, others]), centred)
    assert agreement.argmax() == 0, "and no other rotation does better"


def test_it_is_the_least_squares_solution():
    """No small change of the pose brings the points closer."""
    pose, reference = random_poses(1, 3), shape(3)
    points = pose.to_picture(reference) + 30 * torch.randn(1, 40, 3, dtype=torch.float64)
    weights = torch.rand(40, dtype=torch.float64)
    found = align(points, reference, weights)

    def cost(scale, turn, shift):
        rotation = torch.matrix_exp(turn - turn.T) @ found.rotation
        moved = Pose(found.scale * scale, rotation, found.translation + shift)
        return ((moved.to_picture(reference) - points).square().sum(-1) * weights).sum()

    start = tuple(t.double() for t in (torch.ones(1), torch.zeros(3, 3), torch.zeros(3)))
    gradients = torch.autograd.functional.jacobian(cost, start)
    assert all(g.abs().max() < 1e-6 * cost(*start) for g in gradients)


@given(SEEDS)
def test_to_model_undoes_to_picture(seed):
    pose, reference = random_poses(5, seed), shape(seed)
    points = pose.to_picture(reference)
    torch.testing.assert_close(pose.to_model(points), reference.expand(5, -1, -1), rtol=0, atol=1e-9)
    torch.testing.assert_close(pose[1:3].to_picture(reference), points[1:3])
    torch.testing.assert_close(pose.rotate(reference), points - pose.translation[:, None], rtol=0, atol=1e-9)


def rotation_about(axis, angle):
    generator = torch.zeros(3, 3, dtype=torch.float64)
    i, j = {"x": (2, 1), "y": (0, 2), "z": (1, 0)}[axis]
    generator[i, j], generator[j, i] = angle, -angle
    return torch.matrix_exp(generator)


@pytest.mark.parametrize(("axis", "place"), [("x", 0), ("y", 1), ("z", 2)])
@pytest.mark.parametrize("angle", [-1.2, -0.3, 0.0, 0.7])
def test_angles_about_one_axis(axis, place, angle):
    expected = torch.zeros(3, dtype=torch.float64)
    expected[place] = angle
    torch.testing.assert_close(euler_angles(rotation_about(axis, angle)), expected, rtol=0, atol=1e-6)


@given(st.tuples(*[st.floats(-1.4, 1.4)] * 3))
def test_angles_compose_as_documented(angles):
    pitch, yaw, roll = angles
    rotation = rotation_about("z", roll) @ rotation_about("y", yaw) @ rotation_about("x", pitch)
    torch.testing.assert_close(euler_angles(rotation), torch.tensor(angles, dtype=torch.float64), rtol=0, atol=1e-9)


def test_where_the_face_looks():
    """The nose points towards the camera, at negative z: turned, it moves as the documented sign says."""
    nose, chin = torch.tensor([[0.0, 0.0, -1.0], [0.0, 1.0, 0.0]], dtype=torch.float64)
    assert (rotation_about("y", 0.5) @ nose)[0] < 0, "positive yaw looks to the left of the picture"
    assert (rotation_about("x", 0.5) @ nose)[1] > 0, "positive pitch lowers the nose"
    assert (rotation_about("z", 0.5) @ chin)[0] < 0, "positive roll is clockwise"


def test_pose_terms_vanish_for_a_frontal_head():
    rotation = torch.stack([torch.eye(3, dtype=torch.float64), rotation_about("y", 0.4)])
    terms = pose_terms(rotation)
    assert terms.shape == (2, 9)
    assert (terms[0] == 0).all()
    assert terms[1, 1] == pytest.approx(0.4)
    assert terms[1, 4] == pytest.approx(0.16)
    assert terms[1, 7] == pytest.approx(0.064)
