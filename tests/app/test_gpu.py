from __future__ import annotations

import pickle
import sys
from types import ModuleType

import pytest
import torch

from talkedit_sdk.app import gpu
from talkedit_sdk.app.limits import Limits
from talkedit_sdk.app.studio import Studio, last
from talkedit_sdk.app.wish import Wish

WISH = Wish.checked("happy", 1, 0.5, "largest")


def test_the_folder_of_the_repository_is_no_gpu(monkeypatch):
    """`import spaces` works from the repository, as a namespace package: it has no attribute GPU."""
    monkeypatch.setitem(sys.modules, "spaces", ModuleType("spaces"))
    assert gpu.zero_gpu() is None
    monkeypatch.setitem(sys.modules, "spaces", None)
    assert gpu.zero_gpu() is None


def test_zero_gpu_is_asked_for_as_long_as_it_takes(editor, talking, tmp_path, monkeypatch):
    asked = []

    def borrow(duration):
        def decorate(function):
            def borrowed(*arguments):
                asked.append(duration(*arguments))
                yield from function(*arguments)

            return borrowed

        return decorate

    module = ModuleType("spaces")
    module.GPU = borrow
    monkeypatch.setitem(sys.modules, "spaces", module)
    monkeypatch.setattr(gpu, "DEVICE", torch.device("cpu"))
    studio = Studio(editor, Limits())
    clip = last(studio.watch(talking))
    outcome = last(gpu.renderer(studio)(clip, WISH, tmp_path / "a.mp4", None))
    assert outcome.report.edited_frames == 25
    assert asked == [gpu.seconds_needed(clip, WISH, tmp_path)]
    assert 10 < asked[0] < 60


def test_what_crosses_to_the_process_with_the_gpu_can_be_sent(editor, talking, tmp_path):
    clip = last(Studio(editor, Limits()).watch(talking))
    clip, wish = pickle.loads(pickle.dumps((clip, WISH)))
    outcome = pickle.loads(pickle.dumps(last(gpu.render(editor, clip, wish, tmp_path / "a.mp4"))))
    assert outcome.report.edited_frames == 25
    assert outcome.openings[0].shape == (25, 2)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_clip_watched_without_a_gpu_is_rendered_with_one(editor, talking, tmp_path):
    clip = last(Studio(editor, Limits()).watch(talking))
    outcome = last(gpu.render_on_gpu(clip, WISH, tmp_path / "a.mp4"))
    assert outcome.report.edited_frames == 25
    assert gpu.moved(clip, torch.device("cuda")).fits[0].pose.rotation.is_cuda
