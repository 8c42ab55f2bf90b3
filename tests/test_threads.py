from __future__ import annotations

import pytest
import torch

from talkedit_sdk.threads import single_threaded


@pytest.fixture
def three_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("three_threads")
def test_the_callers_setting_comes_back():
    with pytest.raises(ZeroDivisionError), single_threaded():
        1 / (torch.get_num_threads() - 1)
    assert torch.get_num_threads() == 3


@pytest.mark.usefixtures("three_threads")
def test_an_edit_stays_on_its_thread(editor, speech, monkeypatch):
    seen = []
    draw = editor._renderer.draw
    monkeypatch.setattr(editor._renderer, "draw", lambda *a: seen.append(torch.get_num_threads()) or draw(*a))
    plan = editor._motion.edit
    monkeypatch.setattr(editor._motion, "edit", lambda request: seen.append(torch.get_num_threads()) or plan(request))
    result = editor.edit(speech[:4], fps=25, progress=lambda _: seen.append(torch.get_num_threads()))
    for _ in result.frames():
        assert torch.get_num_threads() == 3, "between the frames the setting is the caller's"
    assert seen == [1] * 9
