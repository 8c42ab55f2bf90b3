from __future__ import annotations

import av
import numpy as np
import pytest

from talkedit_sdk.errors import InputNotFoundError, UnreadableInputError
from talkedit_sdk.speech import audio
from talkedit_sdk.speech.audio import read_voice, resampled
from talkedit_sdk.speech.types import RATE, SAMPLE_RATE, Voice


def tone(rate, seconds, frequency=440.0):
    return (0.5 * np.sin(2 * np.pi * frequency * np.arange(int(rate * seconds)) / rate)).astype(np.float32)


def write(path, samples, rate, codec, layout="mono", skip=0):
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, layout=layout)
        for start in range(0, len(samples), 1024):
            block = samples[start : start + 1024]
            block = np.repeat((block * 32767).astype(np.int16), 2 if layout == "stereo" else 1)[None]
            frame = av.AudioFrame.from_ndarray(block, "s16", layout)
            frame.sample_rate, frame.pts = rate, start + (skip if start >= 8 * 1024 else 0)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def pitch_of(samples):
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return spectrum.argmax() * SAMPLE_RATE / len(samples)


@pytest.mark.parametrize(
    ("name", "rate", "codec", "layout"),
    [
        ("a.wav", 8000, "pcm_s16le", "mono"), ("a.wav", 44100, "pcm_s16le", "stereo"),
        ("a.flac", 48000, "flac", "mono"),
        ("a.mka", 22050, "pcm_s16le", "stereo"), ("a.mp4", 48000, "aac", "stereo"),
    ],
)  # fmt: skip
def test_any_rate_and_channels_become_16_khz_mono(tmp_path, name, rate, codec, layout):
    voice = read_voice(write(tmp_path / name, tone(rate, 1.2), rate, codec, layout))
    assert voice.samples.dtype == np.float32
    assert voice.duration == pytest.approx(1.2, abs=0.05)
    assert pitch_of(voice.samples) == pytest.approx(440, abs=2)
    assert 0.45 < np.abs(voice.samples[2000:-2000]).max() < 0.75  # two equal channels are louder than one


def test_the_sound_of_a_video(talk):
    voice = read_voice(talk)
    assert voice.duration == pytest.approx(1, abs=0.06)
    assert pitch_of(voice.samples) == pytest.approx(0.06 * 48000 / 2 / np.pi, abs=12)


def test_holes_are_silent_and_keep_what_follows_in_place(tmp_path):
    rate = 16000
    voice = read_voice(write(tmp_path / "a.mka", tone(rate, 2), rate, "pcm_s16le", skip=rate))
    assert voice.duration == pytest.approx(3, abs=0.02)
    begin = 8 * 1024
    assert np.abs(voice.samples[begin + 100 : begin + rate - 100]).max() < 1e-3
    assert np.abs(voice.samples[begin + rate + 100 :]).max() > 0.4


def test_rows_cover_the_sound():
    assert Voice(np.zeros(SAMPLE_RATE, np.float32)).rows == RATE
    assert Voice(np.zeros(SAMPLE_RATE + 1, np.float32)).rows == RATE + 1
    assert resampled(tone(22050, 1), 22050).duration == pytest.approx(1, abs=0.002)


def test_what_is_no_sound_is_said(tmp_path, make_video, make_heads):
    with pytest.raises(InputNotFoundError):
        read_voice(tmp_path / "none.wav")
    (tmp_path / "empty.wav").write_bytes(b"")
    with pytest.raises(UnreadableInputError, match="empty"):
        read_voice(tmp_path / "empty.wav")
    (tmp_path / "text.wav").write_bytes(b"not a sound" * 100)
    with pytest.raises(UnreadableInputError, match="no sound that can be read"):
        read_voice(tmp_path / "text.wav")
    with av.open(str(tmp_path / "silent.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width = stream.height = 32
        frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), "rgb24")
        container.mux([*stream.encode(frame), *stream.encode(None)])
    with pytest.raises(UnreadableInputError, match="no sound"):
        read_voice(tmp_path / "silent.mp4")


def test_length_is_bounded_also_where_a_hole_is_claimed(tmp_path, monkeypatch):
    monkeypatch.setattr(audio, "MAX_SECONDS", 3)
    with pytest.raises(UnreadableInputError, match="longer"):
        read_voice(write(tmp_path / "a.wav", tone(8000, 4), 8000, "pcm_s16le"))
    with pytest.raises(UnreadableInputError, match="longer"):
        read_voice(write(tmp_path / "a.mka", tone(16000, 1), 16000, "pcm_s16le", skip=16000 * 3600))
