"""Every error that talkedit raises on purpose.

All derive from `TalkEditError`. The message is one sentence that says what is wrong and what to do next; where a
builtin exception means the same (`FileNotFoundError`, `ValueError`), the class derives from it too.

    TalkEditError
    ├── InputError            the video, photo or frames cannot be used
    │   ├── InputNotFoundError
    │   ├── UnreadableInputError
    │   └── NoFaceError
    ├── OptionError           an argument is out of range or unknown
    ├── OutputError           the result cannot be written there
    ├── WeightsError          the weights are missing, damaged or of another version
    └── Cancelled             the caller's progress callback asked to stop
"""

from __future__ import annotations


class TalkEditError(Exception):
    """Root of all errors raised by talkedit."""


class InputError(TalkEditError):
    """The input cannot be edited."""


class InputNotFoundError(InputError, FileNotFoundError):
    """There is no such file."""


class UnreadableInputError(InputError, ValueError):
    """The file is no video, photo or sound that can be decoded, or lies outside the supported limits."""


class NoFaceError(InputError, ValueError):
    """No face, or not the requested face, was found."""


class OptionError(TalkEditError, ValueError):
    """An option is unknown or out of range."""


class OutputError(TalkEditError, OSError):
    """The output cannot be written."""


class WeightsError(TalkEditError, ValueError):
    """Weights are missing, damaged, or do not fit this version."""


class Cancelled(TalkEditError):  # noqa: N818 - a request that was honoured, not a failure
    """The work was stopped on request; nothing was written."""
