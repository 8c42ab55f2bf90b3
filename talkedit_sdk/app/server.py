"""Puts the app together and starts it."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.utils import get_upload_folder

from talkedit_sdk.app import gpu, texts, theme
from talkedit_sdk.app.api import Endpoints
from talkedit_sdk.app.editing import Editing
from talkedit_sdk.app.layout import draw, draw_foot, draw_head
from talkedit_sdk.app.limits import Limits
from talkedit_sdk.app.rendering import Rendering
from talkedit_sdk.app.session import sweep
from talkedit_sdk.app.studio import Studio
from talkedit_sdk.app.talk import Talking
from talkedit_sdk.app.talk_layout import draw_talk
from talkedit_sdk.editor import Editor


def build(limits: Limits | None = None, example: Path | None = None) -> gr.Blocks:
    """The page and its endpoints, not yet started.

    limits: those of the environment if left out. example: a clip to try.
    """
    limits = limits or Limits.from_environment()
    # On ZeroGPU the process that talks to visitors has no GPU, although torch claims one.
    device = "cpu" if gpu.zero_gpu() else "auto"
    studio = Studio(Editor.load(device=device), limits)
    renderer, speaker = gpu.renderer(studio), gpu.speaker(studio)
    sweep(Path(get_upload_folder()))
    keep = int(60 * limits.minutes)
    demo: gr.Blocks
    with gr.Blocks(title=texts.TITLE, analytics_enabled=False, delete_cache=(max(1, keep // 4), 2 * keep)) as demo:
        Endpoints(studio, renderer, speaker).connect()  # first, so that no event of the page takes their names
        draw_head()
        with gr.Tabs(elem_id="rooms"):
            with gr.Tab(texts.TAB_EDIT):
                page = draw(limits, example is not None)
            with gr.Tab(texts.TAB_TALK, elem_id="talking"):
                talk_page = draw_talk(limits)
        draw_foot(limits)
        Editing(page, studio, example).connect()
        Rendering(page, renderer).connect()
        Talking(talk_page, speaker, limits).connect()
    demo.queue(max_size=limits.queue, default_concurrency_limit=1)
    return demo


def launch_options(limits: Limits) -> dict[str, Any]:
    """Arguments of `gradio.Blocks.launch`."""
    return {
        "theme": theme.theme(),
        "css": theme.style(),
        "head": theme.head(),
        "max_file_size": f"{limits.megabytes:g}mb",
        "mcp_server": find_spec("mcp") is not None,
        "state_session_capacity": 4 * limits.queue,
        "footer_links": ["api"],
        "ssr_mode": False,
    }


def serve(example: Path | None = None) -> None:
    """Builds and launches the app, with the limits of the environment; Gradio itself reads GRADIO_SERVER_NAME and
    GRADIO_SERVER_PORT. example: a clip to try, if it exists."""
    limits = Limits.from_environment()
    build(limits, example if example and example.exists() else None).launch(**launch_options(limits))
