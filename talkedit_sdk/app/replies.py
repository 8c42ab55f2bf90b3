"""What events of the page have in common: how they are registered, what they read, how they say sorry."""

from __future__ import annotations

import html
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Protocol, TypeAlias

import gradio as gr

from talkedit_sdk.app import texts, words
from talkedit_sdk.app.session import Session
from talkedit_sdk.app.wish import Wish, mixture
from talkedit_sdk.emotion import EMOTIONS, Emotion
from talkedit_sdk.errors import Cancelled, TalkEditError

Updates: TypeAlias = dict[Any, Any]
"""New values by component."""

_LOG: Final = logging.getLogger(__name__)


class Told(Protocol):
    """A page with a place for apologies."""

    @property
    def notice(self) -> gr.HTML: ...


def quiet() -> dict[str, Any]:
    """Options of an event that is no endpoint and covers nothing up."""
    return {"api_visibility": "private", "show_progress": "hidden"}


def read_wish(values: Sequence[Any]) -> tuple[Wish, int, bool]:
    """`Controls.values` as they arrive -> the edit, which key frame to show, and whether to show the face alone.

    Raises:
        OptionError: a value is out of range.
    """
    emotion, mixing, intensity, mouth, detail, face, begin, end, curve, moment, close, badge, *shares = values
    wanted = mixture(emotion, mixing, shares)
    wish = Wish.checked(wanted, intensity, mouth, face or "largest", begin, end, curve, badge, detail)
    return wish, int(moment or 0), bool(close)


def spoken(emotion: Emotion) -> str:
    """Happy 70% + Surprised 30%"""
    shares = [(texts.EMOTIONS[name], share) for name, share in zip(EMOTIONS, emotion.shares, strict=True) if share]
    return shares[0][0] if len(shares) == 1 else " + ".join(f"{name} {share:.0%}" for name, share in shares)


def served(path: Path) -> dict[str, Any]:
    """A file of the session, which the page gets an address for."""
    return gr.FileData(path=str(path)).model_dump()


def sorry(page: Told, error: Exception, session: Session | None = None, upload: Path | None = None) -> Updates:
    """Says what went wrong, on the page and, where it is a fault of ours, in the log."""
    if not isinstance(error, TalkEditError):
        _LOG.exception("the app failed", exc_info=error)
    names = {upload: upload.name} if upload else {}
    if session is not None:
        names |= session.names
    told = html.escape(words.apology(error, names))
    kind = "te-cancelled" if isinstance(error, Cancelled) else "te-sorry"
    return {page.notice: gr.HTML(f'<p class="{kind}" role="alert">{told}</p>', visible=True)}
