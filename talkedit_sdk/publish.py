"""Publishing a folder of weights as a repository on the Hugging Face Hub, with a model card."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from talkedit_sdk.errors import OptionError, OutputError, WeightsError
from talkedit_sdk.hub import REPOSITORY, explaining, hub
from talkedit_sdk.manifest import MANIFEST, Manifest

CARD: Final = "README.md"
_MAX_CARD_BYTES: Final = 2**20
_FRONT_MATTER: Final = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)


@dataclass(frozen=True)
class Publication:
    """What `push` is going to upload: the files that the manifest of `folder` lists, the manifest, and a model card."""

    name: str
    folder: Path
    manifest: Manifest
    card: str

    @classmethod
    def prepare(cls, name: str, folder: Path) -> Publication:
        """Checks a folder of weights and writes its model card; nothing is sent.

        Args:
            name: "organisation/name" of the repository.
            folder: its own `README.md`, which training writes, becomes the second half of the card.

        Raises:
            OptionError: that is no name of a repository.
            WeightsError: the folder holds no weights, or its manifest is missing or untrue.
        """
        if not REPOSITORY.fullmatch(name):
            raise OptionError(f"'{name}' cannot be the name of a repository; write it as org/name.")
        manifest = Manifest.read(folder / MANIFEST, str(folder))
        manifest.check(folder, str(folder))
        return cls(name, folder, manifest, model_card(name, manifest, _about(folder)))

    def push(self, branch: str | None = None, tag: str | None = None, private: bool = False) -> str:
        """Uploads everything as one commit to a repository, which is created if need be.

        Args:
            branch: to commit to, created if need be; the main one if None.
            tag: for the commit.
            private: whether a repository that has to be created is visible to its owners only.

        Returns:
            The address of the commit.

        Raises:
            OutputError: no token, no right to write there, the tag exists already, or no network.
        """
        from huggingface_hub import CommitOperationAdd, get_token

        with explaining(self.name, branch, OutputError):
            if get_token() is None:
                raise OutputError(
                    f"{self.name} cannot be written without a token: log in with `hf auth login` or set HF_TOKEN."
                )
            api = hub()
            api.create_repo(self.name, private=private or None, exist_ok=True)
            if branch is not None:
                api.create_branch(self.name, branch=branch, exist_ok=True)
            if tag is not None and tag in {known.name for known in api.list_repo_refs(self.name).tags}:
                raise OutputError(f"{self.name} has a tag '{tag}' already: choose another one.")
            additions = [CommitOperationAdd(file.name, str(self.folder / file.name)) for file in self.manifest.files]
            additions.append(CommitOperationAdd(MANIFEST, self.manifest.text().encode()))
            additions.append(CommitOperationAdd(CARD, self.card.encode()))
            commit = api.create_commit(
                self.name,
                additions,
                commit_message=f"Weights for talkedit {self.manifest.min_version}",
                revision=branch,
            )
            if tag is not None:
                api.create_tag(self.name, tag=tag, revision=commit.oid)
        return str(commit.commit_url)


def model_card(name: str, manifest: Manifest, about: str) -> str:
    """The card that the Hub shows: front matter, how to use the weights, what they hold, and `about`, in Markdown."""
    rows = "\n".join(f"| `{file.name}` | {file.size:,} | {file.holds} |" for file in manifest.files)
    return _CARD.format(name=name, needed=manifest.min_version, rows=rows, about=about).rstrip() + "\n"


def read_card(folder: Path) -> str:
    """The text of a folder's own card; empty if it has none.

    Raises:
        WeightsError: it cannot be read, is no text, or too long.
    """
    path = folder / CARD
    if not path.is_file():
        return ""
    try:
        with path.open("rb") as file:
            text = file.read(_MAX_CARD_BYTES + 1)
        if len(text) > _MAX_CARD_BYTES:
            raise WeightsError(f"{path} is longer than a model card can be; shorten it.")
        return text.decode().replace("\r\n", "\n")
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise WeightsError(f"{path} is no text in UTF-8; save it as such.") from None


def _about(folder: Path) -> str:
    return _FRONT_MATTER.sub("", read_card(folder)).strip()


_CARD: Final = """\
---
license: apache-2.0
library_name: talkedit
tags: [talkedit, face, 3dmm, blendshapes, facial-expression-editing, talking-head, safetensors]
---
# {name}

Weights for talkedit, which changes the emotion of a talking face in a video while the person keeps saying what they
say. They need talkedit {needed} or newer.

```python
from talkedit_sdk import Editor

editor = Editor.load("{name}")
editor.edit("talk.mp4", emotion="happy", intensity=0.8).save("happy.mp4")
```

On the command line: `talkedit edit talk.mp4 --emotion happy --weights {name}`

| file | bytes | holds |
| --- | --: | --- |
{rows}

`config.json` lists these files with their checksums; talkedit downloads nothing else and refuses what differs.

An edited face is synthetic media: ask the person in the video, say what you did when you publish it, and do not use it
to mislead, harass or harm.

{about}
"""
