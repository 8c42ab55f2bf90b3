"""The whole way from a video to an edited one."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest
import torch
from PIL import Image

from talkedit_sdk import Editor, NoFaceError, OptionError, TalkEditError, WeightsError
from talkedit_sdk.clip import Clip
from talkedit_sdk.emotion import EMOTIONS
from talkedit_sdk.errors import Cancelled, InputNotFoundError, UnreadableInputError
from talkedit_sdk.face.topology import BLENDSHAPES, INDEX, MOUTH_CORNERS, VERTICES
from talkedit_sdk.motion.mouth import lip_gaps
from talkedit_sdk.provenance import DIGITAL_SOURCE_TYPE

BROWS = (105, 334)


def frames_of(result):
    return np.stack([frame.rgb for frame in result.frames()])


def shape_of(clip):
    """(T, 468, 3) tracked vertices of the first face, free of its pose."""
    landmarks = torch.from_numpy(np.array(clip.tracking.faces[0].landmarks[:, :VERTICES]))
    pose = clip.fits[0].pose
    return pose.to_model(landmarks.to(pose.scale.device)).cpu()


@pytest.fixture(scope="module")
def seen_again(editor, watched):
    """Shapes of the face in the edited frames, tracked anew."""
    done = {}

    def look(emotion, mouth_weight):
        if (emotion, mouth_weight) not in done:
            result = editor.edit(watched, emotion, mouth_weight=mouth_weight)
            done[emotion, mouth_weight] = shape_of(editor.watch(frames_of(result), fps=25))
        return done[emotion, mouth_weight]

    return look


def test_happy_raises_the_corners_of_the_mouth(watched, seen_again):
    change = seen_again("happy", 0.0).mean(0) - shape_of(watched).mean(0)
    assert (change[list(MOUTH_CORNERS), 1] < -0.01).all()
    width = change[MOUTH_CORNERS[1], 0] - change[MOUTH_CORNERS[0], 0]
    assert width > 0.02


def test_surprise_raises_the_brows_and_drops_the_jaw(watched, seen_again):
    change = seen_again("surprised", 0.0).mean(0) - shape_of(watched).mean(0)
    assert (change[list(BROWS), 1] < -0.03).all()
    assert lip_gaps(change[None])[0, 2] > 0.015


@pytest.mark.parametrize("emotion", ["happy", "surprised"])
def test_mouth_weight_one_keeps_the_opening(watched, seen_again, emotion):
    source, held, free = (
        lip_gaps(shape)[:, 1:4].mean(1)
        for shape in (shape_of(watched), seen_again(emotion, 1.0), seen_again(emotion, 0.0))
    )
    assert torch.corrcoef(torch.stack([source, held]))[0, 1] > 0.9
    assert (held - source).abs().mean() < (free - source).abs().mean()
    assert (held - source).abs().mean() < 0.01, "less than a millimetre"
    closed = source < 0.02
    assert closed.sum() >= 4, "the clip has to close its mouth"
    assert (held[closed] < 0.05).all()


@pytest.mark.parametrize("intensity", [0, [(0, 0), (9, 0)]], ids=["number", "curve"])
def test_intensity_zero_returns_the_frames_to_the_bit(editor, watched, speech, intensity):
    result = editor.edit(watched, "angry", intensity=intensity, mouth_weight=0.0)
    np.testing.assert_array_equal(frames_of(result), speech)
    assert {stretch.reason for stretch in result.report.stretches} == {"intensity 0"}
    assert result.report.edited_frames == 0
    (curves,) = result.curves
    np.testing.assert_array_equal(curves.before, curves.after)


def test_stronger_is_further(editor, watched, speech):
    change = [
        np.abs(frames_of(editor.edit(watched, "surprised", intensity=i)).astype(int) - speech).mean()
        for i in (0.3, 0.7, 1.2)
    ]
    assert 0 < change[0] < change[1] < change[2]


def test_a_curve_edits_only_its_seconds(editor, watched, speech):
    times = watched.tracking.times
    result = editor.edit(watched, "happy", intensity=[(0, 0), (0.3, 0), (0.3, 1), (0.6, 1), (0.6, 0)])
    inside = (times >= 0.3) & (times < 0.6)
    touched = np.array([(edited != own).any() for edited, own in zip(frames_of(result), speech, strict=True)])
    np.testing.assert_array_equal(touched, inside)
    np.testing.assert_array_equal(result.report.strength > 0, inside)
    assert [stretch.reason for stretch in result.report.stretches] == ["intensity 0", "edited", "intensity 0"]


def test_everything_beyond_the_face_stays_to_the_bit(editor, watched, speech):
    edited = frames_of(editor.edit(watched, "fearful", intensity=1.5, mouth_weight=0.0))
    points = np.array(watched.tracking.faces[0].landmarks[..., :2])
    low, high = points.min((0, 1)), points.max((0, 1))
    reach = 0.45 * (high - low)
    (left, top), (right, bottom) = (low - reach).astype(int), (high + reach).astype(int)
    outside = np.ones(speech.shape[1:3], bool)
    outside[max(top, 0) : bottom, max(left, 0) : right] = False
    assert outside.mean() > 0.2
    np.testing.assert_array_equal(edited[:, outside], speech[:, outside])
    assert (edited[:, ~outside] != speech[:, ~outside]).any()


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_every_emotion_gives_sound_curves(editor, watched, emotion):
    (curves,) = editor.edit(watched, emotion, intensity=1.5, mouth_weight=0.3).curves
    assert curves.names == BLENDSHAPES
    assert curves.before.shape == curves.after.shape == (24, 52)
    assert curves.frames.tolist() == list(range(24))
    assert np.isfinite(curves.after).all()
    assert curves.after.min() >= 0
    assert curves.after.max() <= 1


def test_the_edit_fades_around_an_absence(editor, watched, speech):
    """The face is lost for a third of a second within a shot."""
    track, fit = watched.tracking.faces[0], watched.fits[0]
    seen = np.array([*range(8), *range(16, 24)])
    segments = (seen >= 16).astype(np.int64)
    rows_of = {name: getattr(track, name)[seen] for name in ("landmarks", "confidence", "partings")}
    part = replace(track, frames=seen, segments=segments, views=(), **rows_of)
    rows = torch.from_numpy(seen)
    fitted = replace(fit, pose=fit.pose[rows], coefficients=fit.coefficients[rows], error=fit.error[rows])
    tracking = replace(watched.tracking, cuts=np.zeros(24, bool), faces=(part,))
    free = replace(watched.occlusions[0], keep=torch.ones(16, 468), covered=np.zeros(16, np.float32))
    result = editor.edit(Clip(watched.source, tracking, (fitted,), (free,)), "surprised")
    strength = result.report.strength
    assert strength[0] == strength[23] == 1
    assert (np.diff(strength[:8]) <= 0).all()
    assert 0 < strength[7] < 0.2
    assert (strength[8:16] == 0).all()
    assert 0 < strength[16] < 0.2
    assert [stretch.reason for stretch in result.report.stretches] == [
        "edited",
        "fading",
        "no face",
        "fading",
        "edited",
    ]
    edited = frames_of(result)
    np.testing.assert_array_equal(edited[8:16], speech[8:16])
    change = np.abs(edited.astype(int) - speech).mean((1, 2, 3))
    assert 0 < change[7] < 0.5 * change[0]


def test_a_face_that_is_turned_away_is_left_alone(editor, watched, speech):
    fit = watched.fits[0]
    aside = torch.matrix_exp(torch.tensor([[0.0, 0.0, 1.3], [0.0, 0.0, 0.0], [-1.3, 0.0, 0.0]]))
    pose = replace(fit.pose, rotation=fit.pose.rotation @ aside.to(fit.pose.rotation.device))
    result = editor.edit(replace(watched, fits=(replace(fit, pose=pose),)), "surprised")
    assert {stretch.reason for stretch in result.report.stretches} == {"turned away"}
    assert result.report.edited_frames == 0
    np.testing.assert_array_equal(frames_of(result), speech)


def test_one_watching_serves_many_edits(editor, watched, speech):
    fresh = editor.edit(speech, "sad", fps=25)
    reused = editor.edit(watched, "sad")
    np.testing.assert_array_equal(fresh.curves[0].after, reused.curves[0].after)
    np.testing.assert_array_equal(frames_of(fresh), frames_of(reused))
    assert editor.watch(watched) is watched


def test_frames_that_can_be_read_once(editor, watched, speech):
    result = editor.edit((frame for frame in speech), "happy", fps=25)
    expected = editor.edit(watched, "happy")
    np.testing.assert_array_equal(frames_of(result), frames_of(expected))
    np.testing.assert_array_equal(frames_of(result), frames_of(expected), err_msg="and once more")
    assert [frame.time for frame in result.frames()] == [index / 25 for index in range(24)]


def test_frames_of_the_caller_are_never_written_to(editor, speech):
    frames = [np.array(frame) for frame in speech[:6]]
    for frame in frames:
        frame.setflags(write=False)
    edited = frames_of(editor.edit(frames, "happy", mouth_weight=0.0))
    assert (edited != speech[:6]).any()
    np.testing.assert_array_equal(frames, speech[:6])


def test_neutral_takes_a_lasting_smile_away(editor, portrait_head):
    (curves,) = editor.edit([portrait_head], "neutral", mouth_weight=0.0).curves
    smile = [INDEX["mouthSmileLeft"], INDEX["mouthSmileRight"]]
    assert curves.before[0, smile].mean() > 0.5
    assert curves.after[0, smile].mean() < 0.3 * curves.before[0, smile].mean()


def test_photo_in_photo_out(editor, portrait_head, tmp_path):
    source, target = tmp_path / "face.png", tmp_path / "sad.png"
    Image.fromarray(portrait_head).save(source)
    result = editor.edit(source, "sad")
    assert result.save(target) == target
    with Image.open(target) as picture:
        assert picture.size == (360, 360)
        assert "sad" in picture.text["Description"]
        assert "Synthetic media" in picture.text["Description"]
        assert DIGITAL_SOURCE_TYPE in picture.text["XML:com.adobe.xmp"]
        edited = np.array(picture)
    np.testing.assert_array_equal(edited, next(iter(result.frames())).rgb)
    assert (edited != portrait_head).any()
    np.testing.assert_array_equal(edited[:20], portrait_head[:20])


@pytest.fixture
def uneven(speech, tmp_path):
    """A video of frames that lie 20 to 80 ms apart."""
    path, ticks = tmp_path / "uneven.mp4", np.cumsum(np.tile([20, 40, 80], 8)) - 20
    with av.open(str(path), "w") as container:
        pictures = container.add_stream("libx264", rate=25, options={"crf": "10", "preset": "ultrafast", "bf": "0"})
        pictures.width, pictures.height, pictures.pix_fmt = 360, 360, "yuv420p"
        pictures.codec_context.time_base = Fraction(1, 1000)
        for rgb, tick in zip(speech, ticks, strict=True):
            frame = av.VideoFrame.from_ndarray(rgb, "rgb24")
            frame.pts, frame.time_base = int(tick), pictures.codec_context.time_base
            container.mux(pictures.encode(frame))
        container.mux(pictures.encode(None))
    return path


def times_of(path):
    with av.open(str(path)) as container:
        return [round(float(frame.pts * frame.time_base), 4) for frame in container.decode(video=0)]


def test_video_in_video_out(editor, uneven, tmp_path):
    target = tmp_path / "angry.mp4"
    result = editor.edit(uneven, {"angry": 3, "sad": 1}, progress=False)
    assert result.save(target) == target
    assert times_of(target) == times_of(uneven)
    with av.open(str(target)) as container:
        assert "sad 25 % + angry 75 %" in container.metadata["comment"]
        assert container.metadata["digital_source_type"] == DIGITAL_SOURCE_TYPE
    before = target.read_bytes()
    assert result.save(target) == target, "a result may be saved again"
    assert times_of(target) == times_of(uneven)
    assert len(target.read_bytes()) == pytest.approx(len(before), rel=0.01)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["angry.mp4", "uneven.mp4"]


def test_progress_of_both_stages(editor, speech, tmp_path):
    heard = []
    editor.edit(speech, "happy", fps=25, progress=heard.append).save(tmp_path / "out.mp4")
    assert [(p.stage, p.done, p.total) for p in heard] == [
        (stage, done, 24) for stage in ("track", "render") for done in range(1, 25)
    ]


@pytest.mark.parametrize(("stage", "done"), [("track", 1), ("track", 24), ("render", 1), ("render", 24)])
def test_cancelling_leaves_nothing(editor, speech, tmp_path, stage, done):
    target = tmp_path / "out.mp4"
    target.write_bytes(b"what was there before")
    with pytest.raises(Cancelled):
        editor.edit(speech, fps=25, progress=lambda p: (p.stage, p.done) != (stage, done)).save(target)
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]
    assert target.read_bytes() == b"what was there before"


def test_no_face(editor, tmp_path):
    empty = np.full((3, 120, 160, 3), 128, np.uint8)
    assert editor.faces(empty) == ()
    with pytest.raises(NoFaceError, match="No face"):
        editor.edit(empty)
    photo = tmp_path / "empty.png"
    Image.fromarray(empty[0]).save(photo)
    with pytest.raises(NoFaceError):
        editor.edit(photo, face="all").save(tmp_path / "out.png")
    assert [path.name for path in tmp_path.iterdir()] == ["empty.png"]


def test_who_is_there(editor, watched):
    (face,) = editor.faces(watched)
    assert (face.index, face.share, face.begin, face.end) == (0, 1.0, 0.0, 23 / 25)
    assert face.thumbnail.shape == (160, 160, 3)
    assert face.thumbnail.dtype == np.uint8
    left, top, width, height = face.box
    points = watched.tracking.faces[0].landmarks[:, :, :2]
    assert (np.abs(np.array([left, top]) - points.min((0, 1))) < 6).all()
    assert 0.8 < width / height < 1.25


def test_two_people(editor, portrait_head):
    smaller = np.full_like(portrait_head, 128)
    smaller[60:300, 60:300] = portrait_head[::3, ::3].repeat(2, 0).repeat(2, 1)
    both = [np.concatenate([smaller, portrait_head], 1)] * 2
    clip = editor.watch(both)
    larger, other = editor.faces(clip)
    assert larger.box[0] > 360 > other.box[0], "the largest comes first"
    for face, left, right in ((0, False, True), (1, True, False), ("largest", False, True), ("all", True, True)):
        result = editor.edit(clip, "surprised", face=face)
        change = frames_of(result)[0] != both[0]
        assert (change[:, :360].any(), change[:, 360:].any()) == (left, right)
        assert result.report.faces == 2
        assert len(result.curves) == len(result.report.edited) == left + right
    with pytest.raises(NoFaceError, match="shows 2"):
        editor.edit(clip, face=2)


@pytest.mark.parametrize("choice", ["largest", "all", 0, "0", np.int64(0)])
def test_choices_of_a_face(editor, watched, choice):
    assert editor.edit(watched, face=choice).report.edited == (0,)


@pytest.mark.parametrize("choice", [1, -1, "7"])
def test_faces_that_are_not_there(editor, watched, choice):
    with pytest.raises(NoFaceError, match=f"no face {choice}"):
        editor.edit(watched, face=choice)


@pytest.mark.parametrize("choice", ["smallest", "", None, 0.5, [0]])
def test_senseless_choices_of_a_face(editor, watched, choice):
    with pytest.raises(OptionError, match="'largest', 'all'"):
        editor.edit(watched, face=choice)


@pytest.mark.parametrize(
    "options",
    [{"emotion": "hapy"}, {"intensity": -1}, {"intensity": float("nan")}, {"mouth_weight": 2}, {"fps": -1}, {"fps": 0}],
)
def test_senseless_options_are_found_before_any_work(editor, speech, options, monkeypatch):
    monkeypatch.setattr(editor._tracker, "track", lambda *_: pytest.fail("the work began"))
    with pytest.raises(OptionError):
        editor.edit(speech, **options)


@pytest.mark.parametrize(
    ("video", "error"),
    [("nowhere.mp4", InputNotFoundError), (".", UnreadableInputError), ([], UnreadableInputError), (7, OptionError)],
)
def test_what_cannot_be_edited(editor, video, error):
    with pytest.raises(error) as caught:
        editor.edit(video)
    assert isinstance(caught.value, TalkEditError)


def test_weights_from_a_folder(model, portrait_head, editor, tmp_path):
    model.save(tmp_path / "mine", {})
    mine = Editor.load(tmp_path / "mine", device="cpu")
    ours = editor.edit([portrait_head], "happy").curves[0].after
    np.testing.assert_allclose(mine.edit([portrait_head], "happy").curves[0].after, ours, atol=1e-3)
    with pytest.raises(WeightsError, match="nowhere"):
        Editor.load(tmp_path / "nowhere")


@pytest.mark.parametrize("device", ["tpu", "cuda:99", "", "mps:7"])
def test_devices_that_are_not_there(device):
    with pytest.raises(OptionError, match="device"):
        Editor.load(device=device)
