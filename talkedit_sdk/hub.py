"""Where weights come from: the package itself, a folder, or a repository on the Hugging Face Hub.

A repository holds the files of a folder of weights side by side, `config.json` (see `manifest`) among them. Only what
that manifest lists is downloaded, each file is compared with its checksum, and what was downloaded once works offline.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from talkedit_sdk.errors import OptionError, TalkEditError, WeightsError
from talkedit_sdk.manifest import MANIFEST, MAX_MANIFEST_BYTES, Manifest
from talkedit_sdk.version import installed

if TYPE_CHECKING:
    from huggingface_hub import HfApi

EMBEDDED: Final = Path(__file__).with_name("weights")
REPOSITORY: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*")
_COMMIT: Final = re.compile(r"[0-9a-f]{40}")
_Read = TypeVar("_Read")


def find_weights(weights: str | os.PathLike[str] | None, revision: str | None = None) -> Path:
    """The folder that holds the weights; what the Hub has and this computer has not is downloaded first.

    Args:
        weights: None for those that come with the package. A path object, a folder that exists, and anything but
            "name/name" (so also "./name" and "/name") is a folder; "organisation/name" is a repository on the Hub.
        revision: branch, tag or commit of the repository; its main branch if None.

    Raises:
        WeightsError: there is no such repository or revision, no access to it, no network and nothing downloaded
            before, or what is there are no weights, damaged, too large, or for a newer talkedit.
        OptionError: a revision of what is no repository.
    """
    if is_repository(weights):
        with explaining(str(weights), revision):
            return _fetch(str(weights), revision)
    if revision is not None:
        raise OptionError(f"Only a repository on the Hub has revisions; leave '{revision}' out, or name org/name.")
    if weights is None:
        return EMBEDDED
    folder = Path(weights)
    if (folder / MANIFEST).exists():
        Manifest.read(folder / MANIFEST, str(folder)).check(folder, str(folder))
    return folder


def is_repository(weights: str | os.PathLike[str] | None) -> bool:
    """Whether `weights` means a repository on the Hub rather than a folder."""
    return isinstance(weights, str) and bool(REPOSITORY.fullmatch(weights)) and not os.path.isdir(weights)


def hub() -> HfApi:
    """The Hub as this user sees it: endpoint, token and cache are those of all tools of the Hub."""
    from huggingface_hub import HfApi

    return HfApi(library_name="talkedit", library_version=installed())


@contextmanager
def explaining(name: str, revision: str | None = None, failure: type[TalkEditError] = WeightsError) -> Iterator[None]:
    """Turns whatever goes wrong between us and the repository `name` into one sentence, raised as `failure`."""
    try:
        yield
    except TalkEditError:
        raise
    except Exception as error:  # huggingface_hub, its HTTP client and its transfer library have no common root
        raise failure(_explained(error, name, revision)) from error


def _fetch(name: str, revision: str | None) -> Path:
    """Downloads what is not in the cache, and returns the folder of the snapshot."""
    from huggingface_hub import constants

    if revision is not None and _COMMIT.fullmatch(revision):
        with suppress(WeightsError):  # a commit never changes: no need to ask the Hub
            return _cached(name, revision)
    api = hub()
    try:
        info = api.model_info(
            name, revision=revision, files_metadata=True, timeout=float(constants.HF_HUB_ETAG_TIMEOUT)
        )
    except Exception as error:
        if _unreachable(error):
            return _cached(name, revision)
        raise
    sizes = {sibling.rfilename: sibling.size for sibling in info.siblings or ()}
    if MANIFEST not in sizes or (sizes[MANIFEST] or 0) > MAX_MANIFEST_BYTES:
        raise WeightsError(f"{name} holds no talkedit weights: there is no {MANIFEST} of talkedit's in it.")
    # By its revision, so that the cache remembers which commit that is; the rest then comes from the same commit.
    folder, manifest = _download(api, name, MANIFEST, revision, lambda path: (path.parent, Manifest.read(path, name)))
    for file in manifest.files:
        held = sizes.get(file.name)
        if held != file.size:
            raise WeightsError(
                f"{name} is damaged: it should hold {file.size} bytes of {file.name} and holds {held or 'none'}; "
                "tell its owner, or choose another revision."
            )
    for file in manifest.files:
        _download(api, name, file.name, folder.name, partial(file.check, origin=name))
    return folder


def _download(api: HfApi, name: str, file: str, revision: str | None, read: Callable[[Path], _Read]) -> _Read:
    """What `read` makes of a file. What it refuses is downloaded once more, and does not stay in the cache."""
    path = Path(api.hf_hub_download(name, file, revision=revision))
    with suppress(WeightsError):
        return read(path)
    _forget(path)
    path = Path(api.hf_hub_download(name, file, revision=revision, force_download=True))
    try:
        return read(path)
    except WeightsError:
        _forget(path)
        raise


def _forget(path: Path) -> None:
    """Removes a file from the cache: the link in its snapshot and the blob behind it."""
    if path.is_symlink():
        (path.parent / os.readlink(path)).unlink(missing_ok=True)
    path.unlink(missing_ok=True)


def _cached(name: str, revision: str | None) -> Path:
    """The folder of a snapshot that was downloaded before."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(name, MANIFEST, revision=revision)
    if not isinstance(found, str):
        raise WeightsError(
            f"{_labelled(name, revision)} was not downloaded before and the Hub cannot be reached; connect to the "
            "network, and unset HF_HUB_OFFLINE if it is set."
        )
    folder = Path(found).parent
    Manifest.read(Path(found), name).check(folder, f"{name} as it was downloaded")
    return folder


def _unreachable(error: Exception) -> bool:
    """Whether no answer, or none that makes sense, came from the Hub."""
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    if isinstance(error, HfHubHTTPError):
        return error.response.status_code >= 500 or error.response.status_code == 429
    return not isinstance(error, HFValidationError)


def _explained(error: Exception, name: str, revision: str | None) -> str:
    from huggingface_hub import constants, errors

    if type(error) is RuntimeError and isinstance(error.__cause__, Exception):  # how a failed upload is wrapped
        error = error.__cause__
    page, login = f"{constants.ENDPOINT}/{name}", "log in with `hf auth login` or set HF_TOKEN"
    if isinstance(error, errors.HFValidationError):
        return f"'{name}' is neither a folder here nor a name that a repository on the Hub can have; check it."
    if isinstance(error, errors.GatedRepoError):
        return f"{name} is gated: ask for access at {page}, and {login}."
    if isinstance(error, errors.RepositoryNotFoundError):
        return f"There is no folder {name} and no repository {page} that you may see: check the name, or {login}."
    if isinstance(error, errors.RevisionNotFoundError):
        return f"{name} has no revision '{revision}'; choose one of those at {page}/tree/main."
    if isinstance(error, errors.HfHubHTTPError):
        status = error.response.status_code
        if status in (401, 403):
            return f"The Hub refused access to {name}: check what your token permits, or {login} anew."
        return f"The Hub answered with status {status} for {_labelled(name, revision)}; try again later."
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    return f"The exchange with the Hub about {_labelled(name, revision)} broke off ({reason}); try again."


def _labelled(name: str, revision: str | None) -> str:
    return name if revision is None else f"{name} at '{revision}'"
