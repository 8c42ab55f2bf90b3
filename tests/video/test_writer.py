from __future__ import annotations

import errno
import os
import resource
import shutil
import subprocess
import sys
import textwrap
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

import talkedit_sdk
from talkedit_sdk.errors import OptionError, OutputError
from talkedit_sdk.video.output import check_output
from talkedit_sdk.video.probe import probe
from talkedit_sdk.video.source import open_source
from talkedit_sdk.video.types import Frame
from talkedit_sdk.video.writer import VideoWriter


def copy(source, target, **options) -> tuple[list[Frame], VideoWriter]:
    """Writes every frame unchanged."""
    frames = list(source.frames())
    with VideoWriter(target, source, **options) as writer:
        for frame in frames:
            writer.write(frame)
    return frames, writer


def listing(folder) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize("name", ["out.mp4", "out.mov", "out.mkv"])
def test_keeps_frames_time_and_picture(tmp_path, clip, name):
    source = open_source(
        clip(tmp_path / "in.mp4", frames=30, fps=Fraction(30000, 1001), sample_aspect_ratio=Fraction(4, 3))
    )
    frames, writer = copy(source, tmp_path / name)
    result = open_source(tmp_path / name)
    written = list(result.frames())
    assert len(written) == len(frames)
    tick = 0 if name != "out.mkv" else 0.00051  # Matroska counts milliseconds
    for before, after in zip(frames, written, strict=True):
        assert abs(before.time - after.time) <= tick
        error = before.rgb.astype(float) - after.rgb
        assert 10 * np.log10(255**2 / np.mean(error**2)) > 38
    assert abs(result.info.duration - source.info.duration) < 1.01 * float(1 / source.info.fps)
    assert result.info.pixel_aspect == Fraction(4, 3)
    assert (result.info.codec, result.info.pixel_format) == ("h264", "yuv420p")
    assert writer.notes == ()


@pytest.mark.parametrize("name", ["in.mp4", "in.mkv", "in.mov"])
def test_keeps_variable_frame_rate_and_the_last_frames_length(tmp_path, clip, name):
    pts = [0, 40, 50, 130, 131, 400, 1000, 1020, 1030, 1500]
    source = open_source(clip(tmp_path / name, frames=len(pts), pts=pts, time_base=Fraction(1, 1000)))
    copy(source, tmp_path / "out.mp4")
    result = open_source(tmp_path / "out.mp4")
    assert [frame.time for frame in result.frames()] == pytest.approx([t / 1000 for t in pts], abs=1e-6)
    assert result.info.duration == pytest.approx(1.54, abs=0.041)


def test_three_frames(tmp_path, clip):
    copy(open_source(clip(tmp_path / "in.webm", codec="libvpx", frames=3)), tmp_path / "out.mp4")
    assert probe(tmp_path / "out.mp4").frame_count == 3


@pytest.mark.parametrize("matrix", [1, 5, 6, 7, 9])
@pytest.mark.parametrize("rgb", [(200, 100, 50), (30, 160, 220), (128, 128, 128)])
def test_colour_tags_and_conversion_agree(tmp_path, clip, planes, matrix, rgb):
    flat = np.full((64, 64, 3), rgb, np.uint8)
    tags = {"colorspace": matrix, "color_primaries": matrix, "color_trc": 1, "color_range": 1}
    source = open_source(clip(tmp_path / "in.mp4", frames=[flat] * 3, **tags))
    with VideoWriter(tmp_path / "out.mp4", source) as writer:
        for index in range(3):
            writer.write(Frame(index, index / 25, flat))
    with av.open(str(tmp_path / "out.mp4")) as container:
        frame = next(container.decode(video=0))
        context = container.streams.video[0].codec_context
        assert (int(context.colorspace), int(context.color_primaries), int(context.color_trc)) == (matrix, matrix, 1)
        assert int(context.color_range) == 1
        kr, kb = {1: (0.2126, 0.0722), 7: (0.212, 0.087), 9: (0.2627, 0.0593)}.get(matrix, (0.299, 0.114))
        r, g, b = (value / 255 for value in rgb)
        y = kr * r + (1 - kr - kb) * g + kb * b
        expected = (16 + 219 * y, 128 + 224 * (b - y) / (2 - 2 * kb), 128 + 224 * (r - y) / (2 - 2 * kr))
        for plane, value in zip(planes(frame), expected, strict=True):
            assert np.abs(plane.astype(int) - value).max() <= 1.5
    shown = next(open_source(tmp_path / "out.mp4").frames()).rgb
    assert np.abs(shown.astype(int) - rgb).max() <= 2


@pytest.mark.parametrize(("height", "matrix"), [(96, 6), (720, 1)])
def test_untagged_source_is_written_with_the_matrix_it_was_read_with(tmp_path, clip, height, matrix):
    source = open_source(clip(tmp_path / "in.mp4", frames=2, size=(height, 128)))
    frames, _ = copy(source, tmp_path / "out.mp4")
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert int(container.streams.video[0].codec_context.colorspace) == matrix
    assert np.abs(next(open_source(tmp_path / "out.mp4").frames()).rgb.astype(int) - frames[0].rgb).mean() < 2


def test_full_range_source_keeps_black_and_white(tmp_path, clip):
    ramp = np.repeat(np.linspace(0, 255, 128).astype(np.uint8)[None, :, None], 96, 0).repeat(3, 2)
    path = clip(
        tmp_path / "in.avi", frames=[ramp] * 2, codec="mjpeg", pixels="yuvj420p", options={"qmax": "1", "qmin": "1"}
    )
    frames, _ = copy(open_source(path), tmp_path / "out.mp4")
    written = next(open_source(tmp_path / "out.mp4").frames()).rgb
    assert np.abs(written.astype(int) - frames[0].rgb).max() <= 4
    assert written[:, 0].max() <= 3
    assert written[:, -1].min() >= 252


def test_rotated_source_comes_out_upright(tmp_path, clip, ramp):
    path = clip(tmp_path / "in.mp4", frames=4, size=(64, 128))
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 44
    data[at : at + 20] = b"".join(n.to_bytes(4, "big", signed=True) for n in (0, 1 << 16, 0, -1 << 16, 0))
    path.write_bytes(data)
    source = open_source(path)
    assert (source.info.width, source.info.height, source.info.rotation) == (64, 128, 90)
    frames, _ = copy(source, tmp_path / "out.mp4")
    result = open_source(tmp_path / "out.mp4")
    assert (result.info.width, result.info.height, result.info.rotation) == (64, 128, 0)
    assert np.abs(next(result.frames()).rgb.astype(int) - frames[0].rgb).mean() < 3


@pytest.mark.parametrize("size", [(95, 127), (96, 127), (95, 128)])
def test_odd_sides_keep_every_pixel(tmp_path, size):
    stripes = np.where((np.add.outer(np.arange(size[0]), np.arange(size[1])) % 2)[..., None], 180, 70)
    source = open_source([np.repeat(stripes, 3, -1).astype(np.uint8)] * 2)
    frames, writer = copy(source, tmp_path / "out.mp4")
    result = open_source(tmp_path / "out.mp4")
    assert (result.info.width, result.info.height) == (128, 96)
    shown = next(result.frames()).rgb.astype(int)
    assert np.abs(shown[: size[0], : size[1]] - frames[0].rgb).max() < 20
    assert "even sides" in writer.notes[0]


def test_starts_with_its_index(tmp_path, clip):
    copy(open_source(clip(tmp_path / "in.mp4")), tmp_path / "out.mp4")
    data = (tmp_path / "out.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


@pytest.mark.parametrize(
    ("before", "audio", "after"),
    [
        ("in.mp4", "aac", "out.mp4"),
        ("in.mp4", "aac", "out.mkv"),
        ("in.mp4", "libmp3lame", "out.mov"),
        ("in.mkv", "libopus", "out.mp4"),
        ("in.mkv", "flac", "out.mp4"),
        ("in.avi", "pcm_s16le", "out.mkv"),
        ("in.avi", "pcm_s16le", "out.mov"),
        ("in.mpg", "mp2", "out.mp4"),
    ],
)
def test_sound_is_copied_byte_for_byte(tmp_path, clip, sound, before, audio, after):
    if audio == "libmp3lame" and not hasattr(av.codec.Codec, "canonical_name"):
        pytest.skip("PyAV before 14.1 cannot copy a stream whose decoder has another name than its encoder")
    codec = {"in.avi": "mpeg4", "in.mpg": "mpeg1video"}.get(before, "libx264")
    path = clip(tmp_path / before, frames=50, codec=codec, audio=audio)
    _, writer = copy(open_source(path), tmp_path / after)
    assert writer.notes == ()
    assert len(sound(path)) > 10
    assert b"".join(sound(tmp_path / after)) == b"".join(sound(path))


@pytest.mark.parametrize("after", ["out.mp4", "out.mkv"])
def test_sound_stays_in_step(tmp_path, clip, after):
    path = clip(tmp_path / "in.mp4", frames=25, audio="aac")
    copy(open_source(path), tmp_path / after)

    def offset(name) -> float:
        with av.open(str(name)) as container:
            first = {}
            for packet in container.demux():
                if packet.size:
                    first.setdefault(packet.stream.type, float(packet.pts * packet.time_base))
            return first["audio"] - first["video"]

    assert offset(tmp_path / after) == pytest.approx(offset(path), abs=0.002)


def test_late_pictures_stay_late(tmp_path, clip):
    path = clip(tmp_path / "in.mkv", frames=20, pts=range(12, 32), audio="aac")
    copy(open_source(path), tmp_path / "out.mkv")
    with av.open(str(tmp_path / "out.mkv")) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        late = video.start_time * video.time_base - audio.start_time * audio.time_base
    assert float(late) == pytest.approx(12 / 25, abs=0.03)


@pytest.mark.parametrize("after", ["out.mp4", "out.mov"])
def test_time_that_does_not_start_at_zero(tmp_path, clip, after):
    """MPEG program streams begin at half a second; mp4 takes their sound as it is, mov as AAC."""

    def starts(name) -> tuple[float, ...]:
        with av.open(str(name)) as container:
            streams = container.streams.video[0], container.streams.audio[0]
            return tuple(float(stream.start_time * stream.time_base) for stream in streams)

    path = clip(tmp_path / "in.mpg", frames=50, codec="mpeg1video", audio="mp2")
    video, audio = starts(path)
    assert min(video, audio) > 0.2
    copy(open_source(path), tmp_path / after)
    new_video, new_audio = starts(tmp_path / after)
    assert min(new_video, new_audio) < 0.03
    assert new_video - new_audio == pytest.approx(video - audio, abs=0.03)


def test_sound_the_container_cannot_carry_is_recoded_and_said(tmp_path, clip):
    path = clip(tmp_path / "in.avi", frames=50, codec="mpeg4", audio="pcm_s16le")
    _, writer = copy(open_source(path), tmp_path / "out.mp4")
    assert len(writer.notes) == 1
    assert "pcm_s16le" in writer.notes[0]
    assert "AAC" in writer.notes[0]
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert container.streams.audio[0].codec_context.name.startswith("aac")
        frames = list(container.decode(audio=0))
    samples = np.concatenate([frame.to_ndarray()[0] for frame in frames])
    assert len(samples) == pytest.approx(2 * 48000, abs=2048)
    spectrum = np.abs(np.fft.rfft(samples[: 2 * 48000]))
    assert np.argmax(spectrum) * 48000 / (2 * 48000) == pytest.approx(440, abs=1)
    assert np.abs(samples).max() == pytest.approx(0.3, abs=0.05)


def test_metadata_is_written_and_the_title_kept(tmp_path, clip):
    path = clip(tmp_path / "in.mp4", metadata={"title": "Ein Gespräch", "creation_time": "2024-05-06T07:08:09.000000Z"})
    tags = {"comment": "Edited", "description": "Face edited by AI", "DigitalSourceType": "composite"}
    for name in ("out.mp4", "out.mkv"):
        copy(open_source(path), tmp_path / name, metadata=tags)
        with av.open(str(tmp_path / name)) as container:
            found = {key.lower(): value for key, value in container.metadata.items()}
        assert found["title"] == "Ein Gespräch"
        assert found["creation_time"].startswith("2024-05-06T07:08:09")
        for key, value in tags.items():
            assert found[key.lower()] == value


def test_frames_without_a_file(tmp_path, ramp):
    source = open_source([ramp(96, 128, i) for i in range(10)], fps=12.5)
    copy(source, tmp_path / "out.mp4")
    info = probe(tmp_path / "out.mp4")
    assert (info.frame_count, info.fps, info.duration) == (10, Fraction(25, 2), 0.8)


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
@pytest.mark.parametrize("there_before", [False, True])
def test_failure_leaves_nothing_and_loses_nothing(tmp_path, clip, error, there_before):
    source = open_source(clip(tmp_path / "in.mp4", frames=40, audio="aac"))
    target = tmp_path / "out.mp4"
    if there_before:
        target.write_bytes(b"precious")
    before = listing(tmp_path)

    def write() -> None:
        with VideoWriter(target, source) as writer:
            for frame in source.frames():
                writer.write(frame)
                assert not there_before or target.read_bytes() == b"precious"
                if frame.index == 30:
                    raise error

    with pytest.raises(error):
        write()
    assert listing(tmp_path) == before
    if there_before:
        assert target.read_bytes() == b"precious"


def test_replaces_an_old_file_and_keeps_its_permissions(tmp_path, clip):
    target = tmp_path / "out.mp4"
    target.write_bytes(b"old")
    target.chmod(0o640)
    copy(open_source(clip(tmp_path / "in.mp4")), target)
    assert probe(target).frame_count == 12
    assert target.stat().st_mode & 0o777 == 0o640
    new = tmp_path / "new.mp4"
    copy(open_source(tmp_path / "in.mp4"), new)
    umask = os.umask(0)
    os.umask(umask)
    assert new.stat().st_mode & 0o777 == 0o666 & ~umask


def test_no_frames_is_an_error(tmp_path, clip):
    source = open_source(clip(tmp_path / "in.mp4"))
    with pytest.raises(OutputError, match="no frames"), VideoWriter(tmp_path / "out.mp4", source):
        pass
    assert listing(tmp_path) == {"in.mp4"}


@pytest.mark.parametrize("rgb", [np.zeros((96, 100, 3), np.uint8), np.zeros((96, 128, 3), np.float32)])
def test_wrong_frames_are_refused(tmp_path, clip, rgb):
    source = open_source(clip(tmp_path / "in.mp4"))
    with pytest.raises(OptionError, match="96x128x3"), VideoWriter(tmp_path / "out.mp4", source) as writer:
        writer.write(Frame(0, 0.0, rgb))
    assert listing(tmp_path) == {"in.mp4"}


def test_full_disk(tmp_path, clip, ramp):
    """A limit on the file size fails the same calls as a disk without room."""
    source = open_source(clip(tmp_path / "in.mp4", frames=30, size=(240, 320), audio="aac"))
    rng = np.random.default_rng(0)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))

    def write() -> None:
        with VideoWriter(tmp_path / "out.mp4", source) as writer:
            for index in range(30):
                writer.write(Frame(index, index / 25, rng.integers(0, 256, (240, 320, 3), dtype=np.uint8)))

    try:
        with pytest.raises(OutputError, match="no room left"):
            write()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert listing(tmp_path) == {"in.mp4"}


class TestCheckOutput:
    @pytest.fixture
    def info(self, tmp_path, clip):
        return probe(clip(tmp_path / "in.mp4", frames=2))

    @pytest.mark.parametrize("name", ["out.webm", "out.gif", "out", "out.jpg", "out.mp4.txt"])
    def test_unwritable_extension(self, tmp_path, info, name):
        with pytest.raises(OutputError, match=r"\.mp4, \.mov, \.mkv"):
            check_output(tmp_path / name, info)

    def test_missing_folder(self, tmp_path, info):
        with pytest.raises(OutputError, match="does not exist"):
            check_output(tmp_path / "none" / "out.mp4", info)

    def test_folder_that_is_a_file(self, tmp_path, info):
        with pytest.raises(OutputError, match="does not exist"):
            check_output(tmp_path / "in.mp4" / "out.mp4", info)

    def test_directory(self, tmp_path, info):
        (tmp_path / "out.mp4").mkdir()
        with pytest.raises(OutputError, match="is a directory"):
            check_output(tmp_path / "out.mp4", info)

    def test_the_input_itself_by_any_name(self, tmp_path, info):
        (tmp_path / "link.mp4").symlink_to(tmp_path / "in.mp4")
        os.link(tmp_path / "in.mp4", tmp_path / "hard.mp4")
        for name in ("in.mp4", "link.mp4", "hard.mp4", "../" + tmp_path.name + "/in.mp4"):
            with pytest.raises(OutputError, match="is the input itself"):
                check_output(tmp_path / name, info)

    def test_name_too_long(self, tmp_path, info):
        with pytest.raises(OutputError, match="too long"):
            check_output(tmp_path / ("x" * 300 + ".mp4"), info)

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
    def test_read_only_folder(self, tmp_path, info):
        folder = tmp_path / "locked"
        folder.mkdir(mode=0o555)
        with pytest.raises(OutputError, match="not writable"):
            check_output(folder / "out.mp4", info)

    @pytest.mark.parametrize("code", ["EROFS", "EACCES"])
    def test_read_only_file_system(self, tmp_path, info, monkeypatch, code):
        def refuse(*_: object) -> int:
            raise OSError(getattr(errno, code), "refused")

        monkeypatch.setattr(os, "open", refuse)
        with pytest.raises(OutputError, match="not writable"):
            check_output(tmp_path / "out.mp4", info)

    def test_full_folder(self, tmp_path, info):
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
        try:
            with pytest.raises(OutputError, match="no room left"):
                check_output(tmp_path / "out.mp4", info)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert listing(tmp_path) == {"in.mp4"}

    def test_good_ones_leave_no_trace(self, tmp_path, info):
        (tmp_path / "old.mkv").write_bytes(b"old")
        (tmp_path / "link.mov").symlink_to(tmp_path / "target.mov")
        before = listing(tmp_path)
        assert check_output(tmp_path / "OUT.MP4", info) == (tmp_path / "OUT.MP4").resolve()
        assert check_output(tmp_path / "old.mkv", info).read_bytes() == b"old"
        assert check_output(tmp_path / "link.mov", info) == (tmp_path / "target.mov").resolve()
        assert listing(tmp_path) == before


def test_interrupt_of_the_process(tmp_path, clip):
    """Ctrl-C while a thread encodes: the process ends soon, and leaves no half file."""
    clip(tmp_path / "in.mp4", frames=20, size=(240, 320))
    script = """
        import os, signal, sys
        from talkedit_sdk.video.pipeline import Background, prefetch
        from talkedit_sdk.video.source import open_source
        from talkedit_sdk.video.types import Frame
        from talkedit_sdk.video.writer import VideoWriter
        source = open_source(sys.argv[1])
        def endless():
            index = 0
            while True:
                for frame in source.frames():
                    yield Frame(index, index / 25, frame.rgb)
                    index += 1
        with VideoWriter(sys.argv[2], source) as writer, Background(writer.write) as encoder:
            for frame in prefetch(endless()):
                encoder.put(frame)
                if frame.index == 50:
                    os.kill(os.getpid(), signal.SIGINT)
    """
    command = [sys.executable, "-c", textwrap.dedent(script), "in.mp4", "out.mp4"]
    environment = os.environ | {"PYTHONPATH": str(Path(talkedit_sdk.__file__).parents[1])}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, timeout=30, check=False)
    assert b"KeyboardInterrupt" in done.stderr
    assert done.returncode != 0
    assert listing(tmp_path) == {"in.mp4"}


def test_source_is_never_touched(tmp_path, clip):
    path = clip(tmp_path / "in.mp4", audio="aac")
    shutil.copy2(path, tmp_path / "same.mp4")
    copy(open_source(path), tmp_path / "out.mp4")
    assert path.read_bytes() == (tmp_path / "same.mp4").read_bytes()
    assert path.stat().st_mtime_ns == (tmp_path / "same.mp4").stat().st_mtime_ns
