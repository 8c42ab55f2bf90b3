"""Training the texture editor that ships in `talkedit_sdk/weights`."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

import torch
from tqdm import tqdm

from talkedit_sdk.face.model import FaceModel
from talkedit_sdk.face.tracker import FaceMeshTracker
from talkedit_sdk.manifest import write_manifest
from talkedit_sdk.texture.creases import CreaseFinder
from talkedit_sdk.texture.learned import LearnedTexture, TextureNetwork, save_network
from talkedit_sdk.texture.skin import SIDE, SkinMap
from talkedit_sdk.texture.types import TextureEditor
from talkedit_sdk.texture.uv import TexelMap
from talkedit_sdk.texture.wrinkles import WrinkleRenderer
from talkedit_sdk.training.card import write_section
from talkedit_sdk.training.dataset import list_items
from talkedit_sdk.training.motion import held_out
from talkedit_sdk.training.skins import Skins, read_skins
from talkedit_sdk.training.texture_pairs import TexturePairs, resized
from talkedit_sdk.training.texture_score import believed, mean_change, score
from talkedit_sdk.training.texture_sheet import write_sheet
from talkedit_sdk.training.texture_trainer import TextureSchedule, TextureTrainer

_HELD_OUT: Final = 8  # one person of so many is kept for measuring
_SAVE_EVERY: Final = 60.0  # seconds
_LOG_EVERY: Final = 50  # steps
_SHEET_EVERY: Final = 250  # steps, with weights that can be tried
_SHOWN: Final = 6  # people on a sheet


def train_texture(
    model: FaceModel,
    skins: list[Skins],
    others: list[Skins],
    schedule: TextureSchedule,
    folder: Path,
    say: Callable[[str], None] = lambda text: None,
) -> TextureNetwork:
    """Trains on `skins`, of the side of the resolution. It leaves in `folder` the `texture.ckpt` (for going on after an
    interruption), sheets to look at, which show `others` where there are any, and the weights of now.

    Raises:
        OptionError: there are too few people, the resolution is unknown, or `texture.ckpt` does not fit.
    """
    folder.mkdir(parents=True, exist_ok=True)
    trainer = TextureTrainer(model, skins, schedule)
    shown = TexturePairs(model, others or skins, torch.Generator().manual_seed(1))
    lesson = shown.lesson(_SHOWN).to(trainer.device)
    checkpoint = folder / "texture.ckpt"
    if checkpoint.exists():
        trainer.resume(checkpoint)
        say(f"Going on from step {trainer.step}.")
    saved, seen = time.monotonic(), dict[str, list[float]]()
    with tqdm(desc="Textures", total=schedule.steps, initial=trainer.step, unit="step", disable=None) as bar:
        while trainer.step < schedule.steps:
            for name, value in trainer.advance().items():
                seen.setdefault(name, []).append(value)
            bar.update()
            if trainer.step % _LOG_EVERY == 0:
                means = {name: f"{sum(values) / len(values):.3f}" for name, values in sorted(seen.items())}
                bar.set_postfix(means)
                say(f"Step {trainer.step} of {schedule.steps}: " + ", ".join(f"{n} {v}" for n, v in means.items()))
                seen = {}
            if trainer.step % _SHEET_EVERY == 0:
                write_sheet(folder / f"texture-{trainer.step:06}.png", trainer.average, lesson)
                save_network(trainer.average, folder, {"step": trainer.step})
            if time.monotonic() - saved > _SAVE_EVERY:
                trainer.save(checkpoint)
                saved = time.monotonic()
    trainer.save(checkpoint)
    write_sheet(folder / "texture.png", trainer.average, lesson)
    return trainer.average.cpu()


def measure(
    model: FaceModel, network: TextureNetwork, skins: list[Skins], others: list[Skins]
) -> dict[str, dict[str, float]]:
    """Share of the error of no edit that is left on people held out, for each region: of the network, of the mean
    change of the people in `skins`, and of the wrinkle renderer alone."""
    texels = SkinMap(model, network.generator.resolution)
    renderer = WrinkleRenderer(model, texels)
    editors: dict[str, TextureEditor] = {
        "learned": LearnedTexture(network, renderer, CreaseFinder(model, texels)),
        "mean change": mean_change(skins),
        "wrinkle renderer": renderer,
    }
    return score(editors, others, _regions(model, texels))


def calibrate(model: FaceModel, network: TextureNetwork, others: list[Skins]) -> None:
    """Has the network draw only as much as people in `others` believe, who were not learned from; all of it where there
    are none."""
    texels = SkinMap(model, network.generator.resolution)
    share = torch.from_numpy(texels.inside).float()
    torch.as_tensor(network.share).copy_(share)
    if others:
        renderer = WrinkleRenderer(model, texels)
        share = share * believed(LearnedTexture(network, renderer), renderer, others, _regions(model, texels))
    torch.as_tensor(network.share).copy_(share)


def _regions(model: FaceModel, texels: SkinMap) -> dict[str, torch.Tensor]:
    return {name: torch.as_tensor(mask) for name, mask in texels.regions(model).items()}


def train_from_data(
    data: Path,
    out: Path,
    cache: Path,
    weights: Path,
    schedule: TextureSchedule,
    say: Callable[[str], None] = lambda text: None,
) -> dict[str, dict[str, float]]:
    """Unrolls, learns, measures and saves: `talkedit train texture`.

    Files of a role other than `train` are left alone, and an eighth of the people is held out to be measured.

    Args:
        data: folder of videos and photos, see `list_items`.
        out: receives `texture.safetensors`, `texture.json`, their section of the model card, a copy of the face model
            that they belong to, and `texture.ckpt` and sheets on the way.
        cache: folder for unrolled skin, so that a second run starts at once.
        weights: folder of the face model.
        schedule: how long and how to train.
        say: receives a line of progress now and then.

    Returns:
        What `measure` tells of the people held out; empty if there are none with several views.

    Raises:
        OptionError: there is nothing to learn from, or `texture.ckpt` in `out` does not fit.
        WeightsError: there is no face model in `weights`.
    """
    model = FaceModel.load(weights)
    tracker = FaceMeshTracker(TexelMap(model))
    side = max(SIDE, schedule.resolution)
    found = [
        replace(
            each,
            skin=resized(each.skin, schedule.resolution),
            visible=resized(each.visible[:, None], schedule.resolution)[:, 0],
        )
        for each in read_skins(list_items(data), model, tracker, cache, side)
        if each.role == "train"
    ]
    learned = [each for each in found if not held_out(each.person, _HELD_OUT)]
    others = [each for each in found if held_out(each.person, _HELD_OUT) and len(each.skin) > 1]
    network = train_texture(model, learned, others, schedule, out, say)
    calibrate(model, network, others)
    measured = measure(model, network, learned, others) if others else {}
    save_network(network, out, {"people": len({each.person for each in learned}), "measured": measured})
    for name in ("face.safetensors", "face.json"):
        if not (out / name).exists():
            shutil.copyfile(weights / name, out / name)
    write_section(out, section_of(learned, schedule, measured))
    write_manifest(out)
    return measured


def section_of(skins: list[Skins], schedule: TextureSchedule, measured: dict[str, dict[str, float]]) -> str:
    """The section of the model card: what the editor learned from, how, and how near it comes on people held out."""
    names = list(next(iter(measured.values()), {}))
    rows = [["region", *names], ["---"] * (len(names) + 1)]
    rows += [[region, *(f"{errors[name]:.3f}" for name in names)] for region, errors in measured.items()]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return SECTION.format(
        views=sum(len(each.skin) for each in skins),
        people=len({each.person for each in skins}),
        several=len({each.person for each in skins if len(each.skin) > 1}),
        resolution=schedule.resolution,
        steps=schedule.steps,
        batch=schedule.batch,
        measured=table if measured else "Not measured: nobody with several views was held out.",
    )


SECTION: Final = """\
# talkedit texture editor

What of a face moves with expression but is not shape: folds, crow's feet, shading of lips and cheeks, the inside of the
mouth. A wrinkle renderer that knows anatomy and light (`texture/wrinkles.py`) draws the folds that come, for anybody.
On top of it a StyleGAN2 of unrolled skin, an encoder into its W+ space and an editor of its codes tell how the skin of
this person differs, which folds go, and what happens between the lips. Only differences are used: the skin of a frame
is multiplied by exp(rendered + G(w') - G(w)), so that pores, beard and make-up of the frame stay. Written by `talkedit
train texture`; read by `talkedit_sdk.texture.learned.LearnedTexture`.

## Made from
{views} views of {people} people, {several} of whom were seen with several expressions, unrolled to {resolution}x\
{resolution} texels, laid over each other, and freed of light and skin tone. Real changes are small in them and come
with what is left of light and registration; so half of the pairs carry rendered folds of other ages and places, which
have to go or to grow.

## How
{steps} steps of {batch} textures, at growing sides. In each step the generator learns as the decoder of the encoder
(masked errors on a Laplacian pyramid, features of the discriminator), as a GAN (Karras et al. 2020: non-saturating
loss, R1, path length, adaptive augmentation; codes kept together as in Tov et al. 2021) and, after the first steps,
with the editor on pairs: two views of a person, or one view with folds that were rendered into it. What the wrinkle
renderer does for anybody is taken off all pairs and put back when the editor is used: the network learns what is left.
At last as much of its change is kept in each region as comes nearest to the median of the people held out. Folds that a
person shows and that are to go are no work of the network: they are what views show beyond G(w) (`texture/creases.py`).

## Measured
On people held out by person: from one view the view of the same person that differs most in expression is predicted.
Error (root mean square of log colours, the mean over the region taken out) relative to no edit at all:

{measured}

What is below 1 explains something; sensor noise, light and what landmarks miss are in all of them.

## Limits
The people above are few, and they do not stand for all ages and skins. Scars, tattoos and heavy make-up were hardly
seen; teeth are blurred to what {resolution} texels show. It knows nothing of tears, blushing or sweat, and says nothing
about what anybody feels.
"""
