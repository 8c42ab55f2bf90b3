from __future__ import annotations

import pytest

from talkedit_sdk.errors import Cancelled
from talkedit_sdk.progress import Progress, reporting


def test_a_callback_hears_every_step():
    heard = []
    with reporting(heard.append, "track", 3) as advance:
        for done in (1, 2, 3):
            advance(done)
    assert heard == [Progress("track", 1, 3), Progress("track", 2, 3), Progress("track", 3, 3)]


def test_only_false_cancels():
    answers = iter([None, 0, True, "", False, True])
    with reporting(lambda _: next(answers), "render", None) as advance:
        for done in range(4):
            advance(done)
        with pytest.raises(Cancelled, match="nothing was written"):
            advance(4)


def test_what_the_callback_raises_is_the_callers():
    def fail(_: Progress) -> None:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"), reporting(fail, "track", 3) as advance:
        advance(1)


@pytest.mark.parametrize("choice", [False, None], ids=["off", "no terminal"])
def test_silence(choice, capsys):
    with reporting(choice, "track", 3) as advance:
        advance(1)
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""


def test_a_bar_goes_to_the_terminal_and_copes_with_wrong_totals(capsys):
    with reporting(True, "render", 2) as advance:
        for done in (1, 2, 3, 50):
            advance(done)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Editing" in captured.err


def test_a_terminal_gets_a_bar_unasked(capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with reporting(None, "track", None) as advance:
        advance(1)
    assert "Finding faces" in capsys.readouterr().err
