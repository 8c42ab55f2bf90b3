"""Every output says that it is synthetic media: a sentence for people, the IPTC term and a record of the edit for
programs. They go into the tags of the file, and into XMP where its format has a place for it.
"""

from __future__ import annotations

import json
import mmap
import re
import textwrap
from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID
from xml.sax.saxutils import escape, unescape

import numpy as np

from talkedit_sdk.emotion import Emotion, EmotionCurve
from talkedit_sdk.report import EditReport
from talkedit_sdk.video.container import open_container
from talkedit_sdk.video.types import VideoInfo

DIGITAL_SOURCE_TYPE: Final = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
"""IPTC NewsCodes term for media composed with parts made by a trained algorithm."""

RECORD: Final = "talkedit"
"""The tag that holds what was edited, as JSON."""

_LONGEST_LABEL: Final = 300  # signs; a JPEG has room for 64 KiB
_MOST_PARTS: Final = 200
_SHORTEST_PAUSE: Final = 1.0  # seconds; parts closer than this are told as one
_XMP_BOX: Final = UUID("be7acfcb-97a9-42e8-9c71-999491e3afac").bytes  # ISO 16684-1, XMP in MPEG-4
_XMP: Final = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
 xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:talkedit="urn:talkedit:1/"
 Iptc4xmpExt:DigitalSourceType="{source_type}" xmp:CreatorTool="talkedit">
<dc:description><rdf:Alt><rdf:li xml:lang="x-default">{description}</rdf:li></rdf:Alt></dc:description>
<talkedit:record>{record}</talkedit:record>
</rdf:Description></rdf:RDF></x:xmpmeta>
<?xpacket end="w"?>"""
_XMP_RECORD: Final = re.compile(rb"<talkedit:record>([^<]{2,65000})</talkedit:record>")
_DEEPER_THAN_OURS: Final = re.compile(r"(?:[\[{][^\[\]{}]*){4}")


def disclosure(
    version: str,
    emotion: Emotion | EmotionCurve,
    report: EditReport | None = None,
    mouth_weight: float | None = None,
    detail: float | None = None,
) -> dict[str, str]:
    """Metadata tags of an edited file: a sentence, the IPTC term, and as JSON in `RECORD` the tool, its version, the
    emotion, and, as far as given, the range of the intensity, the faces, the parts in seconds, the mouth weight and
    the detail of the skin.
    """
    label = textwrap.shorten(emotion.label, _LONGEST_LABEL, placeholder=" ...")
    sentence = f"Synthetic media: facial expression changed to {label} with talkedit {version}."
    record: dict[str, Any] = {
        "tool": "talkedit",
        "version": version,
        "digital_source_type": DIGITAL_SOURCE_TYPE,
        "emotion": label,
    }
    if isinstance(emotion, EmotionCurve) and 1 < len(emotion.points) <= _MOST_PARTS:
        record["emotion_over_time"] = [[round(time, 3), shown.label] for time, shown in emotion.points]
    if report is not None:
        record |= _extent(report)
    if mouth_weight is not None:
        record["mouth_weight"] = round(mouth_weight, 3)
    if detail is not None:
        record["detail"] = round(detail, 3)
    return {
        "comment": sentence,
        "description": sentence,
        "digital_source_type": DIGITAL_SOURCE_TYPE,
        RECORD: json.dumps(record),
    }


def spoken_disclosure(version: str, emotion: EmotionCurve | None, report: EditReport) -> dict[str, str]:
    """`disclosure` of a face that was made to speak; emotion None is that of the voice."""
    tags = disclosure(version, EmotionCurve.parse("neutral") if emotion is None else emotion, report)
    record: dict[str, Any] = json.loads(tags[RECORD]) | {"kind": "speech"}
    if emotion is None:
        record["emotion"] = "auto"
    sentence = f"Synthetic media: face made to speak with talkedit {version}; the person did not say this on camera."
    return tags | {"comment": sentence, "description": sentence, RECORD: json.dumps(record)}


def read_record(info: VideoInfo) -> dict[str, Any] | None:
    """The record that `disclosure` wrote into a file, or None: that proves nothing, as metadata is easily lost.

    Raises:
        UnreadableInputError: the file has changed since `info` was read.
    """
    assert info.path is not None
    if info.kind == "photo":
        with info.path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            found = _XMP_RECORD.search(data)
            text = unescape(found[1].decode("utf-8", "replace")) if found else ""
    else:
        with open_container(info.path) as container:  # Matroska writes names in capitals
            text = next((value for name, value in container.metadata.items() if name.lower() == RECORD), "")
    if _DEEPER_THAN_OURS.search(text):
        return None
    try:
        record = json.loads(text)
    except ValueError:
        return None
    return record if isinstance(record, dict) and record.get("tool") == "talkedit" else None


def xmp(tags: Mapping[str, str]) -> str:
    """The XMP packet that says what the tags of `disclosure` say."""
    description = tags.get("description") or tags.get("comment") or ""
    return _XMP.format(
        source_type=DIGITAL_SOURCE_TYPE, description=escape(description), record=escape(tags.get(RECORD, ""))
    )


def xmp_box(tags: Mapping[str, str]) -> bytes:
    """The XMP packet as a box to append to an mp4 or mov file."""
    content = b"uuid" + _XMP_BOX + xmp(tags).encode()
    return (len(content) + 4).to_bytes(4, "big") + content


def xmp_segment(tags: Mapping[str, str]) -> bytes:
    """The XMP packet as a segment of a JPEG file."""
    content = b"http://ns.adobe.com/xap/1.0/\0" + xmp(tags).encode()
    return b"\xff\xe1" + (len(content) + 2).to_bytes(2, "big") + content


def _extent(report: EditReport) -> dict[str, Any]:
    """Whom an edit changed, when and how strongly."""
    rows = np.flatnonzero(report.strength)
    extent: dict[str, Any] = {"faces": list(report.edited), "edited_frames": len(rows), "frames": report.frames}
    if len(rows):
        given = report.strength[rows]
        extent["intensity"] = [round(float(given.min()), 3), round(float(given.max()), 3)]
    if len(rows) and report.frames > 1:
        times = report.times[rows]
        starts = np.flatnonzero(np.diff(times, prepend=-np.inf) > _SHORTEST_PAUSE)
        starts = starts[:1] if len(starts) > _MOST_PARTS else starts
        stops = [*(starts[1:] - 1), len(rows) - 1]
        extent["edited_seconds"] = [
            [round(float(times[a]), 3), round(float(times[b]), 3)] for a, b in zip(starts, stops, strict=True)
        ]
    return extent
