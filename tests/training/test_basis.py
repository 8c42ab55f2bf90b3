from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from talkedit_sdk.face.pose import align
from talkedit_sdk.face.topology import (
    BLENDSHAPES,
    INDEX,
    LIPS_OUTER,
    MOUTH_CORNERS,
    OUTER_EYE_CORNERS,
    VERTICES,
    mirrored_name,
)
from talkedit_sdk.training.anatomy import prior
from talkedit_sdk.training.basis import BasisLearner, mean_face, mirror_of, symmetric, with_mirrored

FLIP = torch.tensor([-1.0, 1.0, 1.0])
SIDES = [INDEX[mirrored_name(name)] for name in BLENDSHAPES]


def turned(shape, angles):
    """The shape, rotated by (pitch, yaw, roll) one after the other."""
    for axis, angle in enumerate(angles):
        i, j = [(2, 1), (0, 2), (1, 0)][axis]
        generator = torch.zeros(3, 3, dtype=torch.float64)
        generator[i, j], generator[j, i] = angle, -angle
        shape = shape @ torch.matrix_exp(generator).T.float()
    return shape


@pytest.fixture(scope="module")
def even(model):
    """The mean face, exactly symmetric."""
    return symmetric(model.mean, model.mirror)


def test_the_mean_face_does_not_depend_on_where_heads_were(people, even):
    mean = mean_face(people)
    assert (mean[OUTER_EYE_CORNERS[1]] - mean[OUTER_EYE_CORNERS[0]]).norm() == pytest.approx(1, abs=0.05)
    distance = align(mean[None], even, torch.ones(VERTICES)).to_picture(even)[0] - mean
    assert distance.norm(dim=1).mean() < 0.06, "a handful of strangers, whose mean is near that of all people"
    shifted = [replace(person, vertices=2 * person.vertices + 40) for person in people]
    torch.testing.assert_close(mean_face(shifted), mean, rtol=0, atol=1e-3)


def test_many_frames_of_one_person_do_not_outweigh_the_others(people):
    doubled = [*people, replace(people[0], name="again.mp4")]
    torch.testing.assert_close(mean_face(doubled), mean_face(people), rtol=0, atol=1e-4)


def test_mirrored_vertices_are_found(model, even):
    assert torch.equal(mirror_of(even), model.mirror)
    assert torch.equal(mirror_of(model.mean), model.mirror)
    assert torch.equal(mirror_of(turned(even, (0.1, 0.2, 0.1))), model.mirror)


@settings(max_examples=20)
@given(st.tuples(*[st.floats(-0.6, 0.6)] * 3), st.tuples(*[st.floats(-2, 2)] * 3))
def test_symmetric_undoes_turn_and_tilt(model, angles, shift):
    mean = symmetric(model.mean, model.mirror)
    crooked = turned(mean, angles) + torch.tensor(shift)
    straight = symmetric(crooked, model.mirror)
    torch.testing.assert_close((straight * FLIP)[model.mirror], straight, rtol=0, atol=1e-5)
    pose = align(straight[None], mean, torch.ones(VERTICES))
    torch.testing.assert_close(pose.to_picture(mean)[0], straight, rtol=0, atol=1e-4)
    torch.testing.assert_close(pose.rotation[0, 0], torch.tensor([1.0, 0.0, 0.0]), rtol=0, atol=1e-4)


def test_a_lopsided_face_becomes_even(model, even):
    lopsided = even.clone()
    lopsided[MOUTH_CORNERS[0], 1] += 0.1
    middle = symmetric(lopsided, model.mirror)
    right, left = middle[list(MOUTH_CORNERS)]
    assert left[1] == pytest.approx(float(right[1]), abs=1e-5)
    assert left[1] - even[MOUTH_CORNERS[1], 1] == pytest.approx(0.05, abs=0.01)


def test_mirroring_twice_changes_nothing(model, people):
    both = with_mirrored(people[:2], model.mirror)
    assert len(both) == 4
    again = with_mirrored(both[2:], model.mirror)[2:]
    for person, twice in zip(people, again, strict=False):
        torch.testing.assert_close(twice.vertices, person.vertices)
        assert torch.equal(twice.scores, person.scores)
    smile = both[0].scores[:, INDEX["mouthSmileLeft"]]
    assert torch.equal(both[2].scores[:, INDEX["mouthSmileRight"]], smile)
    assert torch.equal(both[2].scores[:, INDEX["jawOpen"]], both[0].scores[:, INDEX["jawOpen"]])


@pytest.fixture(scope="module")
def learner(model, people, even):
    """Knows the scale of the coefficients as they were made."""
    learner = BasisLearner(even, model.mirror, people)
    for _ in range(2):
        learner.solve()
        learner.realign()
    learner.solve()
    return learner


def test_the_basis_is_learned_back(model, learner):
    found, true = learner.bases[None].expression, model.expression
    assert torch.isfinite(found).all()
    well_seen = [n for n in BLENDSHAPES if n.startswith(("jawOpen", "mouthSmile", "browInner", "browOuter", "mouthPu"))]
    for name in well_seen:
        one, two = found[INDEX[name]].flatten(), true[INDEX[name]].flatten()
        assert torch.cosine_similarity(one, two, dim=0) > 0.9, name
        assert 0.5 < one.norm() / two.norm() < 1.2, f"{name}: the ridge shrinks what few people show"


def test_people_left_out_are_explained(learner):
    shares = learner.explained()
    assert set(shares) == {f"{seed}.mp4" for seed in range(8)}
    assert min(whole for whole, _ in shares.values()) > 0.8
    assert all(unbent <= whole + 0.05 for whole, unbent in shares.values())


def test_leaving_someone_out_is_learning_from_the_others(model, people, even):
    everybody, others = BasisLearner(even, model.mirror, people), BasisLearner(even, model.mirror, people[1:])
    everybody.solve()
    others.solve()
    assert set(everybody.bases) == {None, *(person.person for person in people)}
    for part in ("expression", "pose"):
        without, alone = getattr(everybody.bases["0"], part), getattr(others.bases[None], part)
        torch.testing.assert_close(without, alone, rtol=0, atol=1e-4)


def test_nobody_is_explained_by_their_own_data(model, people, even):
    """What landmarks of one person alone do with a score, the basis learned without that person does not know."""
    odd = people[0]
    random = torch.Generator().manual_seed(5)
    nonsense = 40 * torch.randn(VERTICES, 3, generator=random)
    odd = replace(odd, vertices=odd.vertices + odd.scores[:, INDEX["cheekPuff"], None, None] * nonsense)
    learner = BasisLearner(even, model.mirror, [odd, *people[1:]])
    learner.solve()
    without, everybody = (learner.bases[key].expression[INDEX["cheekPuff"]] for key in (odd.person, None))
    assert everybody.norm() > 1.5 * without.norm()
    assert learner.explained()[odd.name][0] < 0.6


def test_the_basis_is_symmetric(model, learner):
    basis = learner.bases[None]
    flipped = (basis.expression * FLIP)[SIDES][:, model.mirror]
    torch.testing.assert_close(flipped, basis.expression, rtol=0, atol=2e-3)


def test_refining_follows_the_landmarks_within_bounds(learner):
    before = learner.explained()
    teacher = [recording.scores**learner.gamma for recording in learner.recordings]
    learner.refine(2e4)
    for refined, given_ in zip(learner.coefficients, teacher, strict=True):
        assert refined.min() >= 0
        assert refined.max() <= 1
        assert refined.shape == given_.shape
    after = learner.explained(learner.coefficients)
    assert sum(w for w, _ in after.values()) > sum(w for w, _ in before.values())


def test_people_are_listed_once(model, people, even, record):
    photo = record(20, count=1)
    learner = BasisLearner(even, model.mirror, [*people[:2], record(0), photo])
    assert learner.people == ["0", "1"], "a photo alone shows no movement"
    learner.solve()
    assert photo.person not in learner.bases


def test_anatomy_where_there_are_no_data(model, even):
    assumed = prior(even, model.mirror)
    flipped = (assumed * FLIP)[SIDES][:, model.mirror]
    torch.testing.assert_close(flipped, assumed, rtol=0, atol=1e-5)

    def pull(name, vertex):
        return assumed[INDEX[name], vertex]

    assert pull("noseSneerLeft", 279)[1] < -0.02, "the wing of the nose goes up"
    assert pull("cheekSquintRight", 101)[1] < -0.01
    assert pull("mouthFrownLeft", MOUTH_CORNERS[1])[1] > 0.03
    assert pull("mouthFrownRight", MOUTH_CORNERS[0])[1] > 0.03
    assert pull("eyeWideLeft", 386)[1] < pull("eyeWideLeft", 374)[1]
    assert pull("jawForward", 152)[2] < -0.05, "towards the camera"
    assert pull("cheekPuff", 425)[0] > 0 > pull("cheekPuff", 205)[0]
    assert assumed[INDEX["noseSneerLeft"], list(LIPS_OUTER)].norm(dim=1).max() < 0.08
    assert (assumed[[INDEX[name] for name in ("jawOpen", "eyeBlinkLeft", "tongueOut", "mouthSmileLeft")]] == 0).all()
