"""Every output says that it is synthetic media."""

from __future__ import annotations

from typing import Final

from talkedit_sdk.emotion import Emotion, EmotionCurve

DIGITAL_SOURCE_TYPE: Final = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
"""IPTC NewsCodes term for media composed with parts made by a trained algorithm."""


def disclosure(version: str, emotion: Emotion | EmotionCurve) -> dict[str, str]:
    """Metadata tags for an edited file: a sentence for people, the IPTC term for machines."""
    sentence = f"Synthetic media: facial expression changed to {emotion.label} with talkedit {version}."
    return {"comment": sentence, "description": sentence, "digital_source_type": DIGITAL_SOURCE_TYPE}
