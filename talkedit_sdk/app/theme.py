"""How the app looks: paper and ink with one warm accent, by day and by night."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import gradio as gr
from gradio.themes.utils.colors import Color

STATIC: Final = Path(__file__).with_name("static")


_CORAL: Final = Color(
    "#fff3ee", "#ffe3d8", "#ffc7b3", "#ffa487", "#fb805b", "#ef6238", "#d94a22", "#b53a19", "#923118", "#772b18",
    "#401308", name="coral",
)  # fmt: skip
_INK: Final = Color(
    "#fbfaf8", "#f4f2ee", "#e7e3dc", "#d3cec4", "#a49e93", "#7b756b", "#5c574f", "#454139", "#2b2926", "#1d1c1b",
    "#141312", name="ink",
)  # fmt: skip

_SANS: Final = ("Inter", "Avenir Next", "Segoe UI", "ui-sans-serif", "system-ui", "sans-serif")
_MONO: Final = ("ui-monospace", "SF Mono", "Menlo", "monospace")


def theme() -> gr.themes.Base:
    """The theme, for `Blocks.launch`."""
    base = gr.themes.Base(
        primary_hue=_CORAL,
        secondary_hue=_CORAL,
        neutral_hue=_INK,
        radius_size=gr.themes.sizes.radius_lg,
        spacing_size=gr.themes.sizes.spacing_md,
        text_size=gr.themes.sizes.text_md,
        font=_SANS,
        font_mono=_MONO,
    )
    return base.set(
        body_background_fill="*neutral_50",
        body_background_fill_dark="*neutral_950",
        body_text_color="*neutral_900",
        body_text_color_dark="*neutral_100",
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_400",
        block_background_fill="transparent",
        block_background_fill_dark="transparent",
        block_border_width="0px",
        block_shadow="none",
        block_padding="0px",
        block_label_background_fill="transparent",
        block_label_background_fill_dark="transparent",
        block_title_text_weight="600",
        block_title_text_color="*body_text_color",
        block_title_text_color_dark="*body_text_color",
        block_info_text_color="*body_text_color_subdued",
        border_color_primary="*neutral_200",
        border_color_primary_dark="*neutral_800",
        input_background_fill="white",
        input_background_fill_dark="*neutral_900",
        input_border_color="*neutral_200",
        input_border_color_dark="*neutral_800",
        slider_color="*primary_500",
        slider_color_dark="*primary_400",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        button_primary_background_fill_dark="*primary_600",
        button_primary_background_fill_hover_dark="*primary_500",
        button_primary_text_color="white",
        button_secondary_background_fill="white",
        button_secondary_background_fill_dark="*neutral_900",
        button_secondary_border_color="*neutral_300",
        button_secondary_border_color_dark="*neutral_700",
        button_large_radius="999px",
        button_medium_radius="999px",
        button_small_radius="999px",
        checkbox_label_background_fill="white",
        checkbox_label_background_fill_dark="*neutral_900",
        checkbox_label_border_color="*neutral_200",
        checkbox_label_border_color_dark="*neutral_800",
        layout_gap="18px",
    )


def style() -> str:
    """The style sheet."""
    return (STATIC / "style.css").read_text(encoding="utf-8")


def head() -> str:
    """What goes into the page's head."""
    script = (STATIC / "page.js").read_text(encoding="utf-8")
    return f'<meta name="viewport" content="width=device-width, initial-scale=1"><script>{script}</script>'
