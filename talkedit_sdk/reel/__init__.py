"""A short titled film that shows what talkedit does to one clip; needs the extra `reel` (moviepy)."""

from __future__ import annotations

from talkedit_sdk.reel.make import EMOTIONS, SECONDS, TITLE, Reel, make_reel

__all__ = ["EMOTIONS", "SECONDS", "TITLE", "Reel", "make_reel"]
