"""The commands `talkedit weights ...`: what weights hold, and how others get them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from talkedit_sdk.options import Json, Revision
from talkedit_sdk.terminal import emit, print_facts

weights = typer.Typer(rich_markup_mode="rich", help="Look at weights, and share them on the Hugging Face Hub.")

Folder = Annotated[Path | None, typer.Option("--folder", metavar="FOLDER", help="The embedded ones if left out.")]


@weights.callback()
def about_weights() -> None:
    """Look at weights, and share them on the Hugging Face Hub."""


@weights.command()
def info(
    source: Annotated[
        str | None, typer.Argument(metavar="FOLDER|ORG/NAME", help="The embedded ones if left out.")
    ] = None,
    revision: Revision = None,
    as_json: Json = False,
) -> None:
    """Tell what weights hold and were trained on; every checksum is compared.

    \b
    talkedit weights info
    talkedit weights info my
    talkedit weights info org/name --revision v1
    """
    from talkedit_sdk.hub import find_weights
    from talkedit_sdk.tables import weights_json

    facts = weights_json(find_weights(source, revision))
    if as_json:
        emit(facts)
    else:
        print_facts(facts)


@weights.command()
def manifest(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Holds *.safetensors.")],
) -> None:
    """Measure the files of a folder anew and write its config.json.

    Training does so itself; it is needed after files were changed by hand.

    \b
    talkedit weights manifest my
    """
    from talkedit_sdk.manifest import MANIFEST, write_manifest

    write_manifest(folder)
    print(folder / MANIFEST)


@weights.command()
def push(
    name: Annotated[str, typer.Argument(metavar="ORG/NAME", help="Created if there is none.")],
    folder: Folder = None,
    revision: Annotated[
        str | None, typer.Option(metavar="BRANCH", help="Branch to commit to, created if there is none.")
    ] = None,
    tag: Annotated[str | None, typer.Option(metavar="TAG", help="Tag for the new commit, such as v1.")] = None,
    private: Annotated[bool, typer.Option("--private", help="Create it so that only its owners see it.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Send nothing; print what would be sent.")] = False,
    as_json: Json = False,
) -> None:
    """Upload weights to the Hugging Face Hub, with a model card made from theirs.

    The token is the one of `hf auth login`, or HF_TOKEN.

    \b
    talkedit weights push org/name --folder my --tag v1 --dry-run
    talkedit weights push org/name --folder my --tag v1
    """
    from talkedit_sdk.hub import EMBEDDED
    from talkedit_sdk.manifest import MANIFEST
    from talkedit_sdk.publish import CARD, Publication

    publication = Publication.prepare(name, folder or EMBEDDED)
    files = [file.name for file in publication.manifest.files] + [MANIFEST, CARD]
    address = None if dry_run else publication.push(revision, tag, private)
    if as_json:
        emit({"repository": name, "files": files, "card": publication.card, "commit": address})
    elif dry_run:
        print(f"Nothing was sent. {name} would get: {', '.join(files)}. {CARD} would be:\n\n{publication.card}", end="")
    else:
        print(address)
