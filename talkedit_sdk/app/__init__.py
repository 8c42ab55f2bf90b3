"""The Gradio app: a page for people, endpoints for programs, tools for MCP. The extra `app` brings Gradio."""

from __future__ import annotations

from talkedit_sdk.app.server import build, launch_options, serve

__all__ = ["build", "launch_options", "serve"]
