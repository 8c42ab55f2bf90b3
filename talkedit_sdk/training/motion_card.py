"""The model card that lies beside the weights of the motion editor."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from talkedit_sdk.training.corpus import Performance


def write_motion_card(path: Path, performances: list[Performance], measured: dict[str, float]) -> None:
    """Writes the card: what the editor learned from, how, and how near it comes on people held out."""
    labelled = {p.take.path for p in performances if p.take.emotion is not None and len(p.coefficients) > 1}
    moving = {p.take.path for p in performances if len(p.coefficients) > 1}
    rows = "\n".join(f"| {name} | {value:.2f} |" for name, value in measured.items())
    path.write_text(
        _CARD.format(
            videos=len(moving),
            photos=len({p.take.path for p in performances} - moving),
            people=len({p.take.person for p in performances}),
            frames=sum(len(p.coefficients) for p in performances),
            labelled=len(labelled),
            measured=f"| emotion | share |\n| --- | --- |\n{rows}" if rows else "Not measured: nobody was held out.",
        ),
        encoding="utf-8",
    )


_CARD: Final = """\
# talkedit motion editor

A small temporal network that turns the 52 ARKit coefficients of someone speaking into those of the same person saying
the same words in another emotion, with intensity, mouth weight and an individual style. Written by `talkedit train
motion`; read by `talkedit_sdk.motion.learned.LearnedEditor`.

## Made from
{videos} videos and {photos} photos of {people} people ({frames} frames at 30 a second), of which {labelled} videos came
with a name for what they show. **No corpus of acted emotions was used.** The footage teaches how people speak, blink
and move; what an emotion does to a face comes from a generator (`training/facs.py`) that acts action units after FACS
and EMFACS (Ekman, Friesen & Hager 2002) on that speech: their combinations with variants, a stronger side, onset, apex
and offset, emphasis on stressed syllables, lips and lids that keep the right of way. Its levels were set by hand and by
eye. So these are the emotions of a textbook, not of a population; culture, age and person differ from them, and nothing
here says what anybody feels. Whoever owns labelled video (MEAD, or a CSV of files) can train on it with the same
command.

## How
Input: windows of 96 frames of coefficients and lip gaps, the target as shares of eight emotions frame by frame,
intensity, mouth weight, style. Output: what to add and which share of the source to take away; both are scaled by the
intensity, so that intensity 0 is the source whatever the weights are. Half of the sources are footage as it was
filmed, half act another emotion that has to be taken out. Terms of the loss (`training/losses.py`), and what became of
the edit on people held out when one was left out of the training of the weights that ship:

| left out | effect |
| --- | --- |
| mouth preservation, its weight the condition | closures kept at mouth weight 1 fall from 0.99 to 0.47 without the \
projection behind it, and the slider moves nothing: survives |
| adversarial, on speeds of coefficients | brows move 0.86 instead of 0.91 as much as in the source: survives |
| smoothness | jitter at mouth weight 0 rises from 1.003 to 1.011 of the source's: survives |
| emotion classifier | gain of the scored emotion 1.60 instead of 1.61: noise; stays, small, as the term by which \
labelled video teaches |
| cycle consistency, there and back | nothing that could be measured, for a third more time: removed |
| identity, the own emotion asked for | nothing that could be measured: the goals of the generator imply it |

(250 more steps with one term left out, from a network trained on the same data with slightly milder levels; 10 clips of
9 people held out, intensity 1.) The term that carries all the others is the distance from the generator's goal.

Behind the network a projection of coefficients (`motion/mouth.py`) holds the lips' openings: exactly at mouth weight 1,
and in closures of speech (b, p, m) at any weight.

## Measured
On people held out by person. Share of the way from source to goal that the network goes (1 - remaining over initial
squared distance of the vertices), mouth free; what is left is mostly mood that a window of three seconds cannot tell
from a habit:

{measured}

`benchmarks/motion.py` compares it with hand-set mixtures.

## Limits
Coefficients cannot show what the face model has no direction for: tears, a tongue, teeth on a lip. Expressions of more
than a few seconds come out alike, since a window shows no more. Closed lips that rest for a second and more may be
parted by surprise or fear at mouth weights under 0.5.
"""
