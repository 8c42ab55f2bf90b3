"""Change the emotion of a talking face in a video, continuously, or make a face say something else.

from talkedit_sdk import Editor
editor = Editor.load()
editor.edit("talk.mp4", emotion="happy", intensity=0.8, mouth_weight=0.7).save("happy.mp4")
editor.speak("face.jpg", "speech.wav").save("speaks.mp4")
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from talkedit_sdk.clip import Clip, Curves, Face
    from talkedit_sdk.editor import Editor
    from talkedit_sdk.emotion import EMOTIONS, Emotion, Intensity
    from talkedit_sdk.errors import (
        Cancelled,
        InputError,
        InputNotFoundError,
        NoFaceError,
        OptionError,
        OutputError,
        TalkEditError,
        UnreadableInputError,
        WeightsError,
    )
    from talkedit_sdk.progress import Progress
    from talkedit_sdk.report import EditReport, Stretch
    from talkedit_sdk.result import EditResult
    from talkedit_sdk.signing import Signer
    from talkedit_sdk.speech.eyes import EyeControl

# Loaded on first use: importing torch and OpenCV takes longer than `talkedit --help` should.
_HOMES = {
    "clip": ("Clip", "Curves", "Face"),
    "editor": ("Editor",),
    "emotion": ("EMOTIONS", "Emotion", "Intensity"),
    "errors": (
        "Cancelled",
        "InputError",
        "InputNotFoundError",
        "NoFaceError",
        "OptionError",
        "OutputError",
        "TalkEditError",
        "UnreadableInputError",
        "WeightsError",
    ),
    "progress": ("Progress",),
    "report": ("EditReport", "Stretch"),
    "result": ("EditResult",),
    "signing": ("Signer",),
    "speech.eyes": ("EyeControl",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "EMOTIONS",
    "Cancelled",
    "Clip",
    "Curves",
    "EditReport",
    "EditResult",
    "Editor",
    "Emotion",
    "EyeControl",
    "Face",
    "InputError",
    "InputNotFoundError",
    "Intensity",
    "NoFaceError",
    "OptionError",
    "OutputError",
    "Progress",
    "Signer",
    "Stretch",
    "TalkEditError",
    "UnreadableInputError",
    "WeightsError",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return __all__
