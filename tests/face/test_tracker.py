from __future__ import annotations

import subprocess
import sys

import cv2
import numpy as np
import pytest
from skimage import data

from talkedit_sdk.errors import Cancelled, UnreadableInputError
from talkedit_sdk.video.types import Frame

SIZE = (360, 480)


def bearded(portrait):
    """Another person: beard, dark brows, other complexion."""
    head = portrait.astype(np.float32) * (0.75, 0.95, 1.15)
    shade = np.zeros(head.shape[:2], np.float32)
    cv2.ellipse(shade, (224, 168), (52, 34), 0, 0, 360, 1, -1)
    cv2.ellipse(shade, (224, 82), (48, 14), 0, 0, 360, 0.7, -1)
    head *= 1 - 0.75 * cv2.GaussianBlur(shade, (0, 0), 4)[..., None]
    return head.clip(0, 255).astype(np.uint8)


def test_photo_is_a_clip_of_one_frame(portrait, tracker, as_clip):
    tracking = tracker.track(as_clip([portrait]))
    (face,) = tracking.faces
    assert tracking.size == (512, 512)
    assert tracking.times.tolist() == [0.0]
    assert tracking.cuts.tolist() == [False]
    assert face.frames.tolist() == [0]
    assert face.landmarks.shape == (1, 478, 3)
    assert face.landmarks.dtype == np.float32
    assert face.confidence[0] > 0.8
    nose, left_eye, right_eye, chin = face.landmarks[0, [1, 263, 33, 152]]
    assert right_eye[0] < nose[0] < left_eye[0]
    assert left_eye[1] < nose[1] < chin[1]
    assert nose[2] < chin[2] - 10, "z must grow away from the camera, in pixels"


@pytest.mark.parametrize(
    ("centre", "scale", "degrees", "tolerance"),
    [
        ((240, 180), 1.0, 0, 0.02),
        ((130.5, 200.25), 1.4, -30, 0.03),
        ((300, 160), 1.3, 30, 0.03),
        ((240, 180), 0.6, 10, 0.03),
    ],
)
def test_landmarks_follow_the_transform(tracker, as_clip, place, error, centre, scale, degrees, tolerance):
    picture, matrix = place(SIZE, centre, scale, degrees)
    (face,) = tracker.track(as_clip([picture])).faces
    assert error(face, 0, matrix) < tolerance


def test_depth_scales_with_the_face(tracker, as_clip, place, reference):
    picture, _ = place(SIZE, (240, 180), 1.5)
    (face,) = tracker.track(as_clip([picture])).faces
    assert np.ptp(face.landmarks[0, :, 2]) == pytest.approx(1.5 * np.ptp(reference[:, 2]), rel=0.1)


def test_moving_face_is_followed_without_lag(tracker, as_clip, place, error):
    poses = [place(SIZE, (130 + 9 * t, 180 + 20 * np.sin(t / 4)), 1.0, 4 * t - 30) for t in range(20)]
    (face,) = tracker.track(as_clip(p for p, _ in poses)).faces
    assert face.frames.tolist() == list(range(20))
    assert set(face.segments.tolist()) == {0}
    assert max(error(face, t, m) for t, (_, m) in enumerate(poses)) < 0.04


def test_leap_beyond_the_region_is_followed(tracker, as_clip, place, error):
    poses = [place(SIZE, (x, 180), 0.8) for x in (150, 150, 215, 280, 280)]
    (face,) = tracker.track(as_clip(p for p, _ in poses)).faces
    assert face.frames.tolist() == [0, 1, 2, 3, 4]
    assert max(error(face, t, m) for t, (_, m) in enumerate(poses)) < 0.04


def test_tiny_face_in_a_large_frame(tracker, as_clip, place, error):
    coffee = cv2.resize(data.coffee(), (1920, 1080))
    poses = [place((1080, 1920), (1500 + t, 300), 0.45, onto=coffee) for t in range(3)]
    tracking = tracker.track(as_clip(p for p, _ in poses))
    (face,) = tracking.faces
    assert face.frames.tolist() == [0, 1, 2]
    assert max(error(face, t, m) for t, (_, m) in enumerate(poses)) < 0.06


@pytest.mark.parametrize("name", ["coffee", "chelsea", "rocket", "brick", "hubble_deep_field"])
def test_no_face(tracker, as_clip, name):
    picture = getattr(data, name)()
    picture = np.stack([picture] * 3, axis=-1) if picture.ndim == 2 else picture
    tracking = tracker.track(as_clip([picture] * 4))
    assert tracking.faces == ()
    assert len(tracking.times) == 4


def test_two_faces_keep_their_identities_while_they_cross(tracker, as_clip, place, error, portrait):
    size, other = (360, 760), bearded(portrait)
    poses = []
    for t in range(40):
        picture, far = place(size, (150 + 11 * t, 120), 0.8, head=other)
        picture, near = place(size, (600 - 11 * t, 215), 1.1, onto=picture)
        poses.append((picture, near, far))
    faces = tracker.track(as_clip(p for p, _, _ in poses)).faces
    assert [f.identity for f in faces] == [0, 1], "the nearer one comes first, and the covered one is still the same"
    for face, which in zip(faces, (1, 2), strict=True):
        assert len(face.frames) > 25
        errors = [error(face, row, poses[frame][which]) for row, frame in enumerate(face.frames)]
        assert np.quantile(errors, 0.9) < 0.08


def test_absence_ends_the_segment_but_not_the_identity(tracker, as_clip, place):
    empty = np.full((*SIZE, 3), 128, np.uint8)
    present = [place(SIZE, (200 + t, 180), 1.0)[0] for t in range(10)]
    back = [place(SIZE, (300 - t, 170), 1.1)[0] for t in range(10)]
    tracking = tracker.track(as_clip([*present, *[empty] * 30, *back]))
    (face,) = tracking.faces
    assert face.frames[:10].tolist() == list(range(10))
    assert 40 <= face.frames[10] <= 43
    assert face.frames[-1] == 49
    assert face.segments.tolist() == [0] * 10 + [1] * (len(face.frames) - 10)


def test_cut_ends_the_segment_and_the_person_is_known_again(tracker, as_clip, place, portrait):
    other = bearded(portrait)
    coffee, rocket = (cv2.resize(p, SIZE[::-1]) for p in (data.coffee(), data.rocket()))
    shots = [
        [place(SIZE, (160 + t, 180), 1.2, onto=coffee)[0] for t in range(10)],
        [place(SIZE, (330, 170), 1.0, onto=rocket, head=other)[0] for _ in range(8)],
        [place(SIZE, (250, 190 - t), 1.0, 8, onto=coffee)[0] for t in range(10)],
    ]
    tracking = tracker.track(as_clip(p for shot in shots for p in shot))
    assert np.flatnonzero(tracking.cuts).tolist() == [10, 18]
    first, second = tracking.faces
    assert first.frames.tolist() == [*range(10), *range(18, 28)]
    assert first.segments.tolist() == [0] * 10 + [1] * 10
    assert second.frames.tolist() == list(range(10, 18))


def test_still_face_trembles_less_than_half_a_percent(tracker, as_clip, place):
    noise = np.random.default_rng(0)
    still, _ = place((720, 720), (360, 360), 3.0)
    noisy = [np.clip(still + noise.normal(0, 4, still.shape), 0, 255).astype(np.uint8) for _ in range(12)]
    (face,) = tracker.track(as_clip(noisy)).faces
    second = np.diff(face.landmarks[:, :468, :2], n=2, axis=0)
    assert np.median(np.linalg.norm(second, axis=2)) < 0.003 * np.ptp(face.landmarks[0, :, 0])


def test_glimpse_is_not_a_person(tracker, as_clip, place):
    coffee = cv2.resize(data.coffee(), SIZE[::-1])
    glimpse = [place(SIZE, (240, 180), 1.2, onto=coffee)[0]] * 3
    assert tracker.track(as_clip([coffee] * 20 + glimpse + [coffee] * 20)).faces == ()
    assert len(tracker.track(as_clip(glimpse)).faces) == 1


def test_view_of_another_array_and_senseless_times_are_fine(tracker, portrait):
    turned = np.rot90(np.rot90(portrait, 3).copy())
    frames = [Frame(i, float("nan"), turned) for i in range(4)]
    tracking = tracker.track(frames)
    assert tracking.faces[0].frames.tolist() == [0, 1, 2, 3]


def test_progress_and_stop(tracker, as_clip, portrait):
    done = []

    def stop_at_two(count):
        done.append(count)
        if count == 2:
            raise Cancelled("Stopped.")

    with pytest.raises(Cancelled):
        tracker.track(as_clip([portrait] * 5), stop_at_two)
    assert done == [1, 2]


def test_unusable_frames(tracker, as_clip, portrait):
    with pytest.raises(UnreadableInputError, match="no frames"):
        tracker.track([])
    with pytest.raises(UnreadableInputError, match="Frame 1 is 256x512"):
        tracker.track(as_clip([portrait, portrait[:, :256]]))


def test_nothing_reaches_the_terminal_and_importing_is_light():
    program = (
        "import sys, numpy as np\n"
        "import talkedit_sdk.face.tracker as t\n"
        "assert 'mediapipe' not in sys.modules\n"
        "from talkedit_sdk.video.types import Frame\n"
        "picture = np.zeros((64, 64, 3), np.uint8)\n"
        "t.FaceMeshTracker().track([Frame(0, 0.0, picture)])\n"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert done.stderr == ""
