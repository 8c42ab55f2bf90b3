"""What a file is, before it is edited."""

from __future__ import annotations

import os

from talkedit_sdk.video.container import check_input
from talkedit_sdk.video.decode import read_track
from talkedit_sdk.video.photo import is_photo, probe_photo
from talkedit_sdk.video.types import VideoInfo


def probe(path: str | os.PathLike[str]) -> VideoInfo:
    """Size, rate, codec and the like of a video or photo. Its first frame is decoded, so what passes here can be read.

    Raises:
        InputNotFoundError: there is no such file.
        UnreadableInputError: it is a directory, empty, cut off, without pictures, too large, or in an unknown format.
    """
    path = check_input(path)
    return probe_photo(path) if is_photo(path) else read_track(path).info
