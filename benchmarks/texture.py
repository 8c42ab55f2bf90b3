"""Measures what becomes of skin: how near its predicted change comes to the real one. See README.md.

python benchmarks/texture.py --clips FOLDER                         # error by region, on people nobody learned from
python benchmarks/texture.py --clips a.mp4 b.mp4 --judge FOLDER     # edits without and with detail, judged and shown
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from people import interval
from texture_clips import compare_details

from talkedit_sdk.errors import WeightsError
from talkedit_sdk.face.model import FaceModel
from talkedit_sdk.face.tracker import FaceMeshTracker
from talkedit_sdk.hub import EMBEDDED
from talkedit_sdk.texture.learned import LearnedTexture
from talkedit_sdk.texture.skin import SkinMap
from talkedit_sdk.texture.types import TextureEditor
from talkedit_sdk.texture.uv import TexelMap
from talkedit_sdk.texture.wrinkles import WrinkleRenderer
from talkedit_sdk.training.dataset import list_items
from talkedit_sdk.training.motion import held_out
from talkedit_sdk.training.skins import Skins, read_skins
from talkedit_sdk.training.texture_score import mean_change, score

APART: Final = 0.8
"""Euclidean distance of coefficients from which on two faces clearly differ in expression."""

HELD_OUT: Final = 8
"""One person in so many is held out by `talkedit train texture`."""


def strangers(skins: Sequence[Skins]) -> list[Skins]:
    """People that no weights were learned from and who show clearly different expressions."""
    return [
        each
        for each in skins
        if (each.role != "train" or held_out(each.person, HELD_OUT))
        and len(each.coefficients) > 1
        and float(torch.cdist(each.coefficients, each.coefficients).max()) > APART
    ]


def ratios(
    editors: Mapping[str, TextureEditor], people: Sequence[Skins], regions: dict[str, torch.Tensor]
) -> dict[str, dict[str, NDArray[Any]]]:
    """For each region and editor what is left of the error of no edit, person by person; NaN where nothing is seen."""
    found = [score(editors, [person], regions) for person in people]
    return {
        region: {name: np.array([each.get(region, {}).get(name, np.nan) for each in found]) for name in editors}
        for region in regions
    }


def table(found: Mapping[str, Mapping[str, NDArray[Any]]]) -> str:
    """Markdown: a row for each region, a column for each editor."""
    names = list(next(iter(found.values())))
    lines = [f"| region | people | {' | '.join(names)} |", "| --- " * (len(names) + 2) + "|"]
    for region, editors in found.items():
        people = int(np.isfinite(next(iter(editors.values()))).sum())
        cells = [interval(editors[name]) for name in names]
        lines.append(f"| {region.replace('_', ' ')} | {people} | {' | '.join(cells)} |")
    return "\n".join(lines)


def predict(clips: Path, cache: Path, weights: Path, side: int) -> str:
    """The report on real changes."""
    model = FaceModel.load(EMBEDDED)
    tracker = FaceMeshTracker(TexelMap(model))
    skins = list(read_skins(list_items(clips), model, tracker, cache, side))
    people = strangers(skins)
    texels = SkinMap(model, side)
    editors: dict[str, TextureEditor] = {
        "mean change": mean_change(
            [each for each in skins if each.role == "train" and not held_out(each.person, HELD_OUT)]
        ),
        "wrinkle renderer": WrinkleRenderer(model, texels),
    }
    try:
        editors["learned"] = LearnedTexture.load(weights, model)
    except WeightsError as error:
        print(f"No learned editor: {error}")
    regions = {name: torch.from_numpy(mask) for name, mask in texels.regions(model).items()}
    views = sum(len(each.skin) for each in people)
    head = f"{len(people)} people, {views} views of {side}x{side} texels. Share of the error of no edit that is left:"
    return f"{head}\n\n{table(ratios(editors, people, regions))}\n"


def main() -> None:
    arguments = _arguments()
    torch.set_num_threads(1)
    arguments.out.mkdir(parents=True, exist_ok=True)
    if arguments.judge or arguments.clips[0].is_file():
        text = compare_details(arguments.clips, arguments.judge, arguments.emotions, arguments.frames, arguments.out)
    else:
        text = predict(arguments.clips[0], arguments.cache, arguments.weights, arguments.side)
    (arguments.out / ("judge.md" if arguments.judge else "texture.md")).write_text(text, encoding="utf-8")
    print(text)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measures how near predicted changes of skin come to real ones.")
    parser.add_argument("--clips", type=Path, nargs="+", required=True, help="folder with an index.csv, or videos")
    parser.add_argument("--weights", type=Path, default=EMBEDDED, help="folder of the learned editor (embedded)")
    parser.add_argument("--side", type=int, default=128, help="texels to a side (128)")
    parser.add_argument("--cache", type=Path, default=Path("build/skins"), help="of unrolled faces")
    parser.add_argument("--judge", type=Path, help="folder with judge.py, an emotion classifier")
    parser.add_argument(
        "--emotions",
        type=lambda text: tuple(text.split(",")),
        default=("angry", "disgusted", "fearful", "happy", "sad", "surprised"),
        help="of the edits that are judged (the six of the judge)",
    )
    parser.add_argument("--frames", type=int, default=24, help="of each clip that is judged (24)")
    parser.add_argument("--out", type=Path, default=Path("build/texture"), help="folder (build/texture)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
