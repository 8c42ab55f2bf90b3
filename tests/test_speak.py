"""The whole way from a face and a voice to a film, with a driver that is told what is said."""

from __future__ import annotations

import json
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
import torch

from talkedit_sdk import Editor, EyeControl, InputError, NoFaceError, OptionError, OutputError
from talkedit_sdk.face.topology import INDEX
from talkedit_sdk.motion.lids import lid_gaps
from talkedit_sdk.provenance import RECORD, read_record
from talkedit_sdk.speech.audio import write_voice
from talkedit_sdk.speech.driver import Drive
from talkedit_sdk.speech.network import EYES
from talkedit_sdk.speech.types import SAMPLE_RATE, Voice
from talkedit_sdk.video.probe import probe

LOOKS = ("eyeLookOutLeft", "eyeLookInLeft")
PERIOD = 0.4  # seconds from one closure to the next
SECONDS = 1.6


class Babble:
    """Says ba, ba, ba: open in the middle of each period, closed at its ends, silent at first."""

    def drive(self, voice, initial, emotion, intensity, times, eyes=None):
        clock = torch.from_numpy(np.asarray(times))
        phase = 2 * torch.pi * clock / PERIOD
        speaking = ((clock - 0.2) / 0.2).clamp(0, 1).float()
        coefficients = initial.repeat(len(times), 1)
        coefficients[:, INDEX["jawOpen"]] += 0.2 * (1 - torch.cos(phase)).float() * speaking
        closures = (torch.cos(phase) > 0.9).float()
        return Drive(coefficients, torch.zeros(len(times), 8), speaking, speaking, closures)


def opening(times):
    return (1 - np.cos(2 * np.pi * times / PERIOD)) * np.clip((times - 0.2) / 0.2, 0, 1)


@pytest.fixture(scope="module")
def speaker(editor):
    """The editor of the session with that driver."""
    driven = Editor.__new__(Editor)
    driven.__dict__.update(editor.__dict__, _speech=Babble)
    return driven


@pytest.fixture(scope="module")
def voice(tmp_path_factory):
    """1.6 seconds of bursts of noise."""
    times = np.arange(int(SECONDS * SAMPLE_RATE)) / SAMPLE_RATE
    noise = np.random.default_rng(0).normal(0, 0.1, len(times)) * opening(times)
    return write_voice(tmp_path_factory.mktemp("voice") / "voice.wav", Voice(noise.astype(np.float32)))


@pytest.fixture(scope="module")
def photo(portrait_head, tmp_path_factory):
    path = tmp_path_factory.mktemp("photo") / "face.png"
    cv2.imwrite(str(path), portrait_head[..., ::-1])
    return path


@pytest.fixture(scope="module")
def spoken(speaker, photo, voice):
    return speaker.speak(photo, voice, eyes=EyeControl(blinks=(0.8,)), progress=False)


@pytest.fixture(scope="module")
def pictures(spoken):
    return np.stack([frame.rgb for frame in spoken.frames()])


def test_a_smiling_photo_opens_and_closes_its_mouth_with_the_speech(spoken, pictures):
    assert len(pictures) == spoken.report.frames == round(SECONDS * 25)
    times = spoken.report.times
    found = spoken.openings()[0][:, 1]
    assert np.corrcoef(found, opening(times))[0, 1] > 0.97
    closed = (np.cos(2 * np.pi * times / PERIOD) > 0.9) | (times < 0.2)
    assert found[closed].max() < 1e-4
    assert found.max() > 0.05
    assert spoken.openings()[0][:, 0].min() > 0.02, "the photo shows teeth"


def test_the_file_has_picture_and_sound_in_step(spoken, tmp_path):
    path = spoken.save(tmp_path / "out.mp4", progress=False)
    with av.open(str(path)) as film:
        video, audio = film.streams.video[0], film.streams.audio[0]
        assert video.frames == round(SECONDS * 25)
        ends = [float(s.duration * s.time_base) for s in (video, audio)]
        assert ends == pytest.approx([SECONDS, SECONDS], abs=0.04)
        assert audio.codec_context.name == "aac"
        sound = np.concatenate([f.to_ndarray().mean(0) for f in film.decode(audio)])
        rate = audio.codec_context.sample_rate
    bursts = np.convolve(np.abs(sound), np.ones(rate // 50) / (rate // 50), "same")[: int(SECONDS * rate)]
    clock = np.arange(len(bursts)) / rate
    lags = {lag: np.corrcoef(bursts, opening(clock - lag))[0, 1] for lag in np.arange(-0.1, 0.11, 0.02)}
    assert abs(max(lags, key=lags.get)) < 0.021
    assert any("re-encoded" in note for note in spoken.report.notes)


@pytest.mark.parametrize(
    ("codec", "sound", "film"), [("aac", "voice.m4a", "out.mp4"), ("pcm_s16le", "voice.wav", "out.mkv")]
)
def test_sound_that_fits_is_copied_bit_by_bit(speaker, photo, tmp_path, codec, sound, film):
    with av.open(str(tmp_path / sound), "w") as container:
        stream = container.add_stream(codec, rate=44100, layout="stereo")
        for number in range(20):
            noise = np.random.default_rng(number).integers(-3000, 3000, (1, 2 * 1024), dtype=np.int16)
            block = av.AudioFrame.from_ndarray(noise, "s16", "stereo")
            block.sample_rate, block.pts = 44100, 1024 * number
            container.mux(stream.encode(block))
        container.mux(stream.encode(None))
    result = speaker.speak(photo, tmp_path / sound, progress=False)
    result.save(tmp_path / film, progress=False)

    def packets(path):
        with av.open(str(path)) as container:
            return b"".join(bytes(p) for p in container.demux(container.streams.audio[0]))

    assert packets(tmp_path / film) == packets(tmp_path / sound)
    assert not result.report.notes


def test_lids_close_in_a_blink_and_only_then(spoken, speaker):
    (edit,) = spoken._edits
    assert edit.speaking.lids.min() <= 0
    assert (edit.speaking.lids == 1).float().mean() > 0.7
    (drawer,) = spoken._drawers
    landmarks, offsets, *_ = drawer._geometry(slice(0, 40))
    gaps = lid_gaps(edit.fit.pose.to_model(landmarks[:, :468] + offsets)).mean((1, 2))
    shut = int(edit.speaking.lids.argmin())
    assert gaps[shut] < 0.01
    assert gaps[0] > 0.05


def test_nothing_jumps(pictures):
    steps = np.abs(np.diff(pictures.astype(np.int16), axis=0)).mean((1, 2, 3))
    assert steps.max() < 12
    assert np.abs(np.diff(pictures[:, :3].astype(np.int16), axis=0)).max() == 0, "the edge of the photo keeps still"


def test_head_0_moves_nothing_but_the_face(speaker, photo, voice, portrait_head):
    still = speaker.speak(photo, voice, head=0, eyes=EyeControl(blink_rate=0), progress=False)
    first = next(iter(still._clip.source.frames())).rgb
    assert np.array_equal(first, portrait_head)
    landmarks = still._clip.tracking.faces[0].landmarks
    assert np.ptp(landmarks, axis=0).max() == 0


def test_the_head_moves_by_its_amount_and_seed(speaker, photo, voice):
    def path(**options):
        clip = speaker.speak(photo, voice, progress=False, **options)._clip
        return clip.tracking.faces[0].landmarks[:, 10]

    one, again, other, more = path(), path(), path(seed=1), path(head=2)
    assert np.array_equal(one, again)
    assert np.abs(one - other).max() > 0.3
    assert np.ptp(more, axis=0).max() == pytest.approx(2 * np.ptp(one, axis=0).max(), rel=0.2)


def test_a_video_gets_other_words_at_its_own_rate_and_size(speaker, watched, voice):
    result = speaker.speak(watched, voice, progress=False)
    times, (openings,) = result.report.times, result.openings()
    assert len(times) == 40 > len(watched.tracking.times) == 24
    assert np.corrcoef(openings[:, 1], opening(times))[0, 1] > 0.97
    old = openings[:, 0] - openings[:, 0].mean()
    said = opening(times) - opening(times).mean()
    rest = openings[:, 1] - openings[:, 1].mean()
    rest -= said * (rest @ said) / (said @ said)
    assert abs(old @ rest) / np.linalg.norm(old) < 0.1 * np.linalg.norm(openings[:, 1]), "the old words are gone"
    upper = [INDEX[name] for name in ("eyeBlinkLeft", "browDownLeft")]
    (curves,) = result.curves
    assert np.allclose(curves.before[:, upper[0]], curves.after[:, upper[0]])


def test_frames_before_the_last_are_shown_backwards(speaker, watched, voice):
    frames = [frame.rgb for frame in speaker.speak(watched, voice, progress=False)._clip.source.frames()]
    assert len(frames) == 40
    assert all(np.array_equal(frames[23 - k], frames[23 + k]) for k in range(1, 17))


def test_a_video_file_keeps_its_clock_and_loses_its_sound(speaker, talking, voice, tmp_path):
    result = speaker.speak(talking, voice, progress=False)
    path = result.save(tmp_path / "out.mp4", progress=False)
    with av.open(str(path)) as film:
        assert len(film.streams.audio) == 1
        assert film.streams.audio[0].codec_context.sample_rate == 16000
        times = [frame.time for frame in film.decode(video=0)]
    assert np.allclose(times, np.arange(40) / 25, atol=1e-3)


def test_the_rate_of_a_photo_and_of_frames(speaker, photo, voice, portrait_head):
    assert speaker.speak(photo, voice, fps=30, progress=False)._clip.source.info.fps == 30
    one = speaker.speak([portrait_head], voice, fps=Fraction(12), progress=False)
    assert (one.report.frames, one._clip.source.info.fps) == (20, 12)
    with pytest.raises(OptionError, match="fps"):
        speaker.speak(photo, voice, fps=0)


def test_a_large_photo_is_scaled_down_and_says_so(speaker, portrait_head, voice, tmp_path):
    path = tmp_path / "large.png"
    cv2.imwrite(str(path), cv2.resize(portrait_head, (2001, 2001))[..., ::-1])
    result = speaker.speak(path, voice, progress=False)
    assert result._clip.source.info.width == result._clip.source.info.height == 1440
    assert any("2001x2001 to 1440x1440" in note for note in result.report.notes)


def test_the_file_says_that_nobody_said_this(spoken, tmp_path):
    path = spoken.save(tmp_path / "out.mp4", progress=False)
    record = read_record(probe(path))
    assert (record["kind"], record["emotion"], record["edited_frames"]) == ("speech", "auto", 40)
    assert "did not say this" in spoken.metadata["comment"]


def test_the_emotion_that_was_asked_for_is_told(speaker, photo, voice):
    asked = {}

    class Listening(Babble):
        def drive(self, voice, initial, emotion, intensity, times, eyes=None):
            asked.setdefault("all", []).append((emotion, intensity, eyes))
            return super().drive(voice, initial, emotion, intensity, times)

    speaker._speech = Listening
    try:
        control = EyeControl(gaze=(15, 0), blinks=(0.8,))
        result = speaker.speak(photo, voice, {"happy": 1, "sad": 1}, 0.7, control, progress=False)
    finally:
        speaker._speech = Babble
    (emotion, intensity, eyes), (_, without, _) = asked["all"]
    assert emotion.label == "happy 50 % + sad 50 %"
    assert intensity.points == ((0, 0.7),)
    assert without.points == ((0, 0),), "the same words without emotion, to compare the lips with"
    blink, out_left, in_left = (eyes[:, EYES.index(INDEX[n])] for n in ("eyeBlinkLeft", *LOOKS))
    assert blink.argmax() == pytest.approx(0.88 * 25, abs=2)
    assert blink.max() == 1
    assert (out_left - in_left).min() > 0.3
    assert json.loads(result.metadata[RECORD])["emotion"] == "happy 50 % + sad 50 %"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"emotion": "hapy"}, "happy"), ({"intensity": 2}, "Intensity"), ({"head": -1}, "head"),
        ({"head": float("nan")}, "head"), ({"face": "all"}, "one face"), ({"seed": -1}, "seed"), ({"eyes": 15}, "eyes"),
        ({"detail": 2}, "detail"),
    ],
)  # fmt: skip
def test_nonsense_is_refused(speaker, photo, voice, options, message):
    with pytest.raises(OptionError, match=message):
        speaker.speak(photo, voice, progress=False, **options)


def test_what_cannot_be_read_is_told(speaker, photo, voice, tmp_path):
    with pytest.raises(InputError):
        speaker.speak(photo, photo)
    with pytest.raises(InputError):
        speaker.speak(tmp_path / "none.jpg", voice)
    with pytest.raises(NoFaceError):
        speaker.speak([np.zeros((64, 64, 3), np.uint8)], voice, progress=False)


def test_who_comes_after_the_speech_cannot_say_it(speaker, portrait_head, voice):
    alone = np.concatenate([portrait_head, np.zeros_like(portrait_head)], 1)
    both = np.concatenate([portrait_head, portrait_head[:, ::-1]], 1)
    clip = speaker.watch([alone] * 12 + [both] * 12, fps=6, progress=False)
    (late,) = (face.index for face in clip.list_faces() if face.begin > 1)
    assert speaker.speak(clip, voice, face=1 - late, progress=False).report.edited_frames > 0
    with pytest.raises(NoFaceError, match="after the speech"):
        speaker.speak(clip, voice, face=late, progress=False)


def test_only_the_chosen_face_speaks(speaker, portrait_head, voice):
    both = np.concatenate([portrait_head, portrait_head[:, ::-1]], 1)
    clip = speaker.watch([both] * 4, progress=False)
    for face in clip.list_faces():
        result = speaker.speak(clip, voice, face=face.index, progress=False)
        changed = (result.frame(20).rgb != both).any((0, 2)).reshape(2, -1).any(1)
        assert changed.tolist() == [face.box[0] < 360, face.box[0] >= 360]


def test_the_sound_is_never_overwritten(spoken, voice):
    before = voice.read_bytes()
    with pytest.raises(OutputError):
        spoken.save(voice, progress=False)
    assert voice.read_bytes() == before


def test_the_command_line(talkedit, editor, photo, voice, tmp_path, monkeypatch):
    monkeypatch.setattr(editor, "_speech", Babble)
    face = tmp_path / "face.png"
    face.write_bytes(photo.read_bytes())
    done = talkedit("speak", face, voice, "--json", "--blinks", 0, "--fps", 12, "--gaze", "5,0", "--head", 0.5)
    (told,) = json.loads(done.out)["outputs"]
    assert told["path"] == str(tmp_path / "face.speaks.mp4")
    assert told["frames"] == 20
    assert "exists already" in talkedit("speak", face, voice).error
    assert talkedit("speak", face, voice, "--force", "--fps", 12, "-q").out == f"{tmp_path / 'face.speaks.mp4'}\n"


def test_the_command_line_finds_mistakes_before_any_work(talkedit_at_once, photo, voice, tmp_path):
    for options, message in [
        ((), "SPEECH or --text"), ((voice, "--text", "hello"), "one of the two"), ((tmp_path / "no.wav",), "no.wav"),
        ((voice, "-e", "hapy"), "happy"), ((voice, "--gaze", "left"), "gaze"), ((voice, "--blinks", 100), "blink_rate"),
        ((voice, "-o", tmp_path / "out.avi"), "out.avi"), ((voice, "-i", 3), "outside"),
        ((voice, "--face", "all"), "choose largest or a number"),
    ]:  # fmt: skip
        assert message in talkedit_at_once("speak", photo, *options).error


def test_text_is_spoken_where_there_is_a_voice(talkedit, editor, photo, tmp_path, monkeypatch):
    from talkedit_sdk.speech.text import available

    if not available():
        pytest.skip("eSpeak NG is not installed")
    monkeypatch.setattr(editor, "_speech", Babble)
    target = tmp_path / "out.mp4"
    done = talkedit("speak", photo, "--text", "Mama.", "--voice", "en", "-o", target, "--fps", 10, "-q")
    assert done.code == 0, done.err
    assert 0.2 < probe(target).duration < 2
    assert probe(target).audio_codecs == ("aac",)


def test_a_cut_stays_a_cut(speaker, speech, portrait_head, voice):
    frames = [*speech[:12], *(np.roll(portrait_head, 40, axis=1)[..., ::-1] for _ in range(12))]
    result = speaker.speak(frames, voice, progress=False)
    assert np.flatnonzero(result._clip.tracking.cuts).tolist() == [12]
    shown = [frame.rgb for frame in result._clip.source.frames()]
    assert len(shown) == 40
    assert all(any(np.array_equal(rgb, own) for own in frames[12:]) for rgb in shown[24:])
