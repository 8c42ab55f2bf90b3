from __future__ import annotations

import io
import json
from fractions import Fraction
from xml.etree import ElementTree

import av
import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from talkedit_sdk.emotion import Emotion, EmotionCurve
from talkedit_sdk.provenance import DIGITAL_SOURCE_TYPE, RECORD, disclosure, read_record, xmp
from talkedit_sdk.report import EditReport
from talkedit_sdk.version import installed
from talkedit_sdk.video.photo import write_photo
from talkedit_sdk.video.probe import probe
from talkedit_sdk.video.source import open_source
from talkedit_sdk.video.types import VideoInfo
from talkedit_sdk.video.writer import VideoWriter

PACKET = "BE7ACFCB-97A9-42E8-9C71-999491E3AFAC".replace("-", "").lower()


def report(strength, fps=25):
    strength = np.array(strength, np.float32)
    count = len(strength)
    return EditReport(2, (1,), np.arange(count) / fps, strength, np.zeros(count, np.int8))


def boxes(data):
    """(name, content) of the outermost boxes of an mp4 file, which must fill it."""
    found, at = [], 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        assert size >= 8
        found.append((data[at + 4 : at + 8], data[at + 8 : at + size]))
        at += size
    assert at == len(data)
    return found


def packet_says(packet, emotion):
    """An XML parser finds the IPTC term, the sentence and the record."""
    root = ElementTree.fromstring(packet.decode().removeprefix("\ufeff"))
    described = next(root.iter("{http://www.w3.org/1999/02/22-rdf-syntax-ns#}Description"))
    source_type = described.get("{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}DigitalSourceType")
    assert source_type == DIGITAL_SOURCE_TYPE
    sentence = next(described.iter("{http://purl.org/dc/elements/1.1/}description"))
    assert emotion in "".join(sentence.itertext())
    return json.loads(next(described.iter("{urn:talkedit:1/}record")).text)


def photo_info(size=(8, 8)):
    return VideoInfo(None, "photo", *size, Fraction(25))


@pytest.mark.parametrize("name", ["out.mp4", "out.mov", "out.mkv"])
def test_a_video_says_what_was_edited(editor, watched, tmp_path, name, decode):
    result = editor.edit(watched, {"happy": 3, "sad": 1}, [(0, 0), (0.3, 0.8), (0.6, 0)], mouth_weight=0.25, detail=0.4)
    target = result.save(tmp_path / name, progress=False)
    record = read_record(probe(target))
    assert record == {
        "tool": "talkedit",
        "version": installed(),
        "digital_source_type": DIGITAL_SOURCE_TYPE,
        "emotion": "happy 75 % + sad 25 %",
        "faces": [0],
        "edited_frames": result.report.edited_frames,
        "frames": 24,
        "intensity": record["intensity"],
        "edited_seconds": [[0.04, 0.56]],
        "mouth_weight": 0.25,
        "detail": 0.4,
    }
    assert 0 < record["intensity"][0] < record["intensity"][1] <= 0.8
    assert len(decode(target)) == 24
    last, content = (b"", b"") if name.endswith("mkv") else boxes(target.read_bytes())[-1]
    if not name.endswith("mkv"):
        assert last == b"uuid"
        assert content[:16].hex() == PACKET
        assert packet_says(content[16:], "happy 75 % + sad 25 %") == record


@pytest.mark.parametrize("name", ["out.jpg", "out.png", "out.webp", "out.tif"])
def test_a_photo_says_what_was_edited(tmp_path, name):
    tags = disclosure("1.2", Emotion.parse("angry"), report([0.7]), 1)
    target = write_photo(tmp_path / name, np.zeros((8, 8, 3), np.uint8), photo_info(), tags)
    record = read_record(probe(target))
    assert (record["version"], record["emotion"], record["faces"]) == ("1.2", "angry", [1])
    assert (record["intensity"], record["mouth_weight"]) == ([0.7, 0.7], 1)
    with Image.open(target) as image:
        image.load()
        packet = image.info.get("xmp") or image.info["XML:com.adobe.xmp"].encode()
    assert packet_says(packet.strip(b"\0"), "angry") == record


def test_a_copy_that_is_no_edit_carries_no_mark(talking, tmp_path):
    source = open_source(talking)
    with VideoWriter(tmp_path / "copy.mp4", source) as writer:
        for frame in source.frames():
            writer.write(frame)
    assert all(name != b"uuid" for name, _ in boxes((tmp_path / "copy.mp4").read_bytes()))
    assert read_record(probe(tmp_path / "copy.mp4")) is None


def test_parts_are_joined_and_bounded():
    def told(strength):
        return json.loads(disclosure("1", Emotion.parse("sad"), report(strength))[RECORD])

    apart = [*[0.5] * 25, *[0.0] * 10, *[0.3] * 15, *[0.0] * 50, *[1.0] * 25]
    assert told(apart)["edited_seconds"] == [[0, 1.96], [4, 4.96]], "a pause of 0.4 s is none"
    assert told(apart)["intensity"] == [0.3, 1]
    many = told([*[1.0], *[0.0] * 30] * 300)
    assert many["edited_seconds"] == [[0, 299 * 31 / 25]]
    nothing = told([0.0] * 5)
    assert nothing["edited_frames"] == 0
    assert "edited_seconds" not in nothing


def test_emotions_over_time_are_told_unless_there_are_too_many(tmp_path):
    few = disclosure("1", EmotionCurve.parse([(0, "sad"), (2.5, "happy")]))
    assert json.loads(few[RECORD])["emotion_over_time"] == [[0, "sad"], [2.5, "happy"]]
    many = EmotionCurve.parse([(i, {"sad": 1 + i % 7, "happy": 1}) for i in range(20000)])
    tags = disclosure("1", many, report([1.0]))
    target = write_photo(tmp_path / "many.jpg", np.zeros((8, 8, 3), np.uint8), photo_info(), tags)
    assert "emotion_over_time" not in read_record(probe(target))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "nul",
        '{"tool": "other"}',
        '{"tool": "talkedit", "faces": ' + "[" * 20000 + "]" * 20000 + "}",
        '{"a":' * 15000 + "1" + "}" * 15000,
        '{"tool": "talkedit", "frames": ' + "9" * 5000 + "}",
        "\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16") * 100,
    ],
)
def test_records_of_others_are_not_believed(talkedit, talking, tmp_path, text):
    chunk = PngImagePlugin.PngInfo()
    chunk.add_itxt("XML:com.adobe.xmp", xmp({RECORD: text}))
    Image.new("RGB", (8, 8)).save(tmp_path / "odd.png", pnginfo=chunk)
    source = open_source(talking)
    with VideoWriter(tmp_path / "odd.mkv", source, {RECORD: text}) as writer:
        writer.write(next(iter(source.frames())))
    for name in ("odd.png", "odd.mkv"):
        outcome = talkedit("info", tmp_path / name, "--json")
        assert outcome.code == 0
        assert json.loads(outcome.out)["edited_with_talkedit"] is None


def test_info_tells(talkedit, talk, tmp_path):
    assert "edited_with_talkedit    unknown\n" in talkedit("info", talk).out
    assert talkedit("edit", talk, "-e", "sad", "-i", 0.5, "-o", tmp_path / "sad.mp4", "-q").code == 0
    told = talkedit("info", tmp_path / "sad.mp4").out
    assert "  emotion                 sad\n" in told
    assert "  intensity               0.5, 0.5\n" in told
    assert "  edited_seconds          [0.0, 0.96]\n" in told


def test_players_read_past_the_packet(editor, watched, tmp_path):
    target = editor.edit(watched, "happy").save(tmp_path / "out.mp4", progress=False)
    with av.open(io.BytesIO(target.read_bytes())) as container:
        assert container.streams.video[0].frames == 24
        assert sum(1 for _ in container.decode(video=0)) == 24
        assert container.metadata["comment"].startswith("Synthetic media")
