"""Learning where glasses are: `glasses.safetensors`.

Rims are learnt from glasses painted onto bare faces, whether there are any from people who do wear some as well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import avg_pool2d, binary_cross_entropy_with_logits
from tqdm import tqdm

from talkedit_sdk.errors import InputError, OptionError
from talkedit_sdk.face.model import FaceModel
from talkedit_sdk.face.topology import EYE_LEFT, EYE_RIGHT
from talkedit_sdk.face.tracker import FaceMeshTracker
from talkedit_sdk.manifest import write_manifest
from talkedit_sdk.texture.glasses import HEIGHT, WIDTH, EyeFrame, RimNet, normalised
from talkedit_sdk.training.card import write_section
from talkedit_sdk.training.dataset import list_items
from talkedit_sdk.training.spectacles import Random, paint, vary
from talkedit_sdk.video.source import open_source

WEARERS: Final = frozenset(
    {
        "LivePortrait_d9.mp4", "SadTalker_WDA_BobMenendez_000.mp4", "LipNet_lbax4n.mpg", "LivePortrait_d8.jpg",
        "PC-AVS_741400163.mp4", "StyleHEAT_video.mp4", "fex-metrica_sdk_test.mov", "fex-metrica_ex_missing1.mov",
        "CompreFace_009_C.jpg", "facial-emotion-analyzer_3.jpg", "deepface_img24.jpg", "Deep3DFaceRecon_vd026.png",
        "InstantID_yann-lecun_resize.jpg", "CompreFace_lfw_Donald_Rumsfeld_0027.jpg",
        "CompreFace_lfw_Phil_Bennett_0001.jpg", "CompreFace_lfw_David_Trimble_0005.jpg",
        "CompreFace_lfw_Hans_Eichel_0002.jpg", "CompreFace_lfw_Oprah_Winfrey_0001.jpg",
        "CompreFace_lfw_Steven_Feldman_0001.jpg", "CompreFace_lfw_Alvaro_Uribe_0001.jpg",
        "CompreFace_lfw_Jim_Talent_0001.jpg",
    }
)  # fmt: skip
"""Files of the project's own clips that show somebody with glasses."""

FEWEST: Final = 4  # people without glasses
_FRAMES: Final = 140  # of a clip that are looked at
_BATCH: Final = 24
_PAINTED: Final = 0.5  # share of the bare faces that are given glasses
_REAL: Final = 0.25  # share of a batch that wears glasses of its own, whose rims are not known
_RATE: Final = 2e-3
_RIM_WEIGHT: Final = 4.0  # of a pixel on a rim


@dataclass(frozen=True)
class Person:
    """Views (K, 64, 128, 3) uint8 of somebody."""

    views: NDArray[np.uint8]
    glasses: bool


def train_from_folder(
    data: Path, weights: Path, out: Path, wearers: frozenset[str], steps: int = 2000, seed: int = 0
) -> int:
    """Tracks, learns and saves. Only files of role `train` are looked at.

    Args:
        data: folder of videos and photos, see `list_items`.
        weights: folder of the face model.
        out: folder for `glasses.safetensors`, its section of the model card, and the manifest.
        wearers: names of the files that show somebody with glasses.
        steps: of training.
        seed: of the random numbers.

    Returns:
        How many files showed a face.

    Raises:
        OptionError: the folder is missing, or there are too few faces.
    """
    frame = EyeFrame(FaceModel.load(weights))
    tracker = FaceMeshTracker(None, frame)
    people = []
    for item in tqdm([item for item in list_items(data) if item.role == "train"], unit="file", disable=None):
        try:
            source = open_source(item.path)
        except InputError as error:
            tqdm.write(f"skipped {item.path.name}: {error}")
            continue
        with_glasses = item.path.name in wearers
        people += [
            Person(face.eyes, with_glasses)
            for face in tracker.track(islice(source.frames(), _FRAMES)).faces[:1]
            if face.eyes is not None and len(face.eyes)
        ]
    bare = sum(not person.glasses for person in people)
    if bare < FEWEST:
        raise OptionError(f"Only {len(people)} faces were found in {data}; name a folder with more people.")
    eyes = np.stack([frame.points[list(contour)].mean(0) for contour in (EYE_RIGHT, EYE_LEFT)])
    out.mkdir(parents=True, exist_ok=True)
    net = train(people, eyes, steps, seed, tqdm.write)
    net.save(out)
    thousands = round(sum(weight.numel() for weight in net.parameters()) / 1000)
    write_section(out, SECTION.format(thousands=thousands, bare=bare, worn=len(people) - bare))
    write_manifest(out)
    return len(people)


def train(
    people: Sequence[Person], eyes: NDArray[np.float32], steps: int, seed: int = 0, say: Callable[[str], None] = print
) -> RimNet:
    """Trains a net on people; `eyes` (2, 2) are the centres of right and left eye in a view."""
    random = np.random.default_rng(seed)
    torch.manual_seed(seed)
    net = RimNet()
    optimizer = torch.optim.AdamW(net.parameters(), _RATE, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _RATE, steps)
    bare, worn = ([person for person in people if person.glasses == glasses] for glasses in (False, True))
    for step in range(steps):
        views, rims, known, present = _batch(bare, worn, eyes, random)
        where, whether = net(normalised(views))
        weight = known[:, None, None, None] * (1 + (_RIM_WEIGHT - 1) * rims)
        rim_loss = (weight * binary_cross_entropy_with_logits(where, rims, reduction="none")).sum() / weight.sum()
        loss = 2 * rim_loss + 0.5 * binary_cross_entropy_with_logits(whether, present)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        schedule.step()
        if step % 100 == 0:
            say(f"step {step}: loss {loss.item():.3f}")
    return net.eval()


def _batch(
    bare: list[Person], worn: list[Person], eyes: NDArray[np.float32], random: Random
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Views (B, 64, 128, 3) uint8, rims (B, 1, 32, 64), whether these are known (B,) and whether there are any (B,)."""
    views, rims, flags = [], [], []
    for _ in range(_BATCH):
        real = bool(worn) and random.random() < _REAL
        people = worn if real else bare
        person = people[random.integers(len(people))]
        view, rim = person.views[random.integers(len(person.views))], np.zeros((HEIGHT, WIDTH), np.float32)
        painted = not real and random.random() < _PAINTED
        if painted:
            view, rim = paint(view, eyes, random)
        view, rim = vary(view, rim, random)
        views.append(view)
        rims.append(rim)
        flags.append((not real, real or painted))
    known, present = torch.tensor(flags, dtype=torch.float32).T
    wide = 2 * avg_pool2d(torch.from_numpy(np.stack(rims))[:, None], 2)
    return torch.from_numpy(np.stack(views)), wide.clamp(0, 1), known, present


SECTION: Final = """\
# talkedit rim finder

`glasses.safetensors`: a small U-shaped net ({thousands} thousand parameters, half precision) that finds the rims of
glasses in views of 128x64 pixels of both eyes, and tells whether there are any. Read by
`talkedit_sdk.texture.glasses.RimNet`, trained by `talkedit train glasses` on people of role `train`: on glasses painted
onto {bare} bare faces, and on {worn} faces that wear some as well.
"""
