"""The manifest of a folder of weights: which files it holds, with sizes and checksums, and which talkedit reads them.

It lies beside the weights as `config.json`. Only what it lists is downloaded, and what differs from it is refused.

    {"library": "talkedit", "format": 1, "min_version": "0.1.0",
     "files": [{"name": "face.safetensors", "size": 1055052, "sha256": "...", "holds": "..."}, ...]}
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from talkedit_sdk.errors import WeightsError
from talkedit_sdk.version import installed
from talkedit_sdk.video.output import explaining, replacing

MANIFEST: Final = "config.json"
FORMAT: Final = 1
MIN_VERSION: Final = "0.1.0"
"""The oldest talkedit that reads the weights this one writes; raise it with the format of any of them."""
MAX_MANIFEST_BYTES: Final = 2**18
MAX_BYTES: Final = 256 * 2**20
"""Of all files of a folder together."""
_FILE_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}\.(safetensors|json)")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_RELEASE: Final = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6}){0,3}")
_HOLDS: Final = {
    "face": "3D morphable face model with the 52 ARKit blendshapes",
    "glasses": "network that finds the rims of glasses",
    "motion": "network that changes the emotion of a face in motion",
    "mouth": "mouth that is nobody's, for clips that never show one open",
    "texture": "StyleGAN of face textures, with the networks that encode and edit its codes",
    "speech": "network that moves a face as speech does",
}


@dataclass(frozen=True)
class WeightFile:
    """One file: its size in bytes, the hexadecimal SHA-256 of its content, and what it holds, in words."""

    name: str
    size: int
    sha256: str
    holds: str

    def check(self, path: Path, origin: str) -> None:
        """Compares the file at `path` with this entry of the manifest of `origin`.

        Raises:
            WeightsError: it is missing, or of another size or content.
        """
        try:
            if not path.is_file():
                raise WeightsError(f"{origin} is incomplete: {self.name} is missing; get these weights anew.")
            same = path.stat().st_size == self.size and _sha256(path) == self.sha256
        except OSError as error:
            raise WeightsError(f"{self.name} of {origin} cannot be read: {error.strerror}.") from None
        if not same:
            raise WeightsError(
                f"{self.name} of {origin} is damaged (it differs from {MANIFEST}); get these weights anew, or run "
                "`talkedit weights manifest` on a folder that you changed yourself."
            )


@dataclass(frozen=True)
class Manifest:
    """What a folder of weights holds, and the oldest version of talkedit that reads it."""

    min_version: str
    files: tuple[WeightFile, ...]

    @classmethod
    def of(cls, folder: Path) -> Manifest:
        """Measures every `*.safetensors` of a folder, and the `.json` that explains it.

        Raises:
            WeightsError: there is none, or more than talkedit would read.
        """
        try:
            tensors = sorted(path for path in folder.iterdir() if path.suffix == ".safetensors")
            found = [path for file in tensors for path in (file.with_suffix(".json"), file) if path.is_file()]
            size = sum(path.stat().st_size for path in found)
            files = tuple(_measured(path) for path in found) if size <= MAX_BYTES else ()
        except OSError as error:
            raise WeightsError(f"No weights can be read in {folder} ({error.strerror}); check the path.") from None
        if not found:
            raise WeightsError(f"There are no weights in {folder}; name a folder that `talkedit train` wrote.")
        for path in found:
            if not _FILE_NAME.fullmatch(path.name):
                raise WeightsError(f"{path} is no name for weights; use letters, digits, - and _.")
        _check_size(size, str(folder))
        return cls(MIN_VERSION, files)

    @classmethod
    def read(cls, path: Path, origin: str) -> Manifest:
        """Reads a manifest that may come from anywhere.

        Args:
            path: of the file.
            origin: how errors call the folder or repository.

        Raises:
            WeightsError: it is missing, no manifest, asks for a newer talkedit, or lists more than may be read.
        """
        if not path.is_file():
            raise WeightsError(
                f"{origin} has no {MANIFEST}, so nothing in it can be checked; `talkedit weights manifest` writes one."
            )
        try:
            with path.open("rb") as file:
                text = file.read(MAX_MANIFEST_BYTES + 1)
            found = json.loads(text) if len(text) <= MAX_MANIFEST_BYTES else None
        except OSError as error:
            raise WeightsError(f"{MANIFEST} of {origin} cannot be read: {error.strerror}.") from None
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict) or found.get("library") != "talkedit" or type(found.get("format")) is not int:
            raise WeightsError(f"{origin} holds no talkedit weights: its {MANIFEST} is none of talkedit's.")
        needed = found.get("min_version")
        needed = needed if isinstance(needed, str) and _RELEASE.fullmatch(needed) else None
        newer = needed is not None and _newer(needed, installed())
        if newer or found["format"] > FORMAT:
            wanted = f"talkedit {needed} or newer" if newer else "a newer talkedit"
            raise WeightsError(
                f"{origin} needs {wanted} and this is {installed()}; upgrade talkedit, or choose an older revision."
            )
        files = _parsed(found.get("files"))
        if not (needed and files):
            raise WeightsError(f"The {MANIFEST} of {origin} is damaged; get these weights anew.")
        _check_size(sum(file.size for file in files), origin)
        return cls(needed, files)

    def check(self, folder: Path, origin: str) -> None:
        """Compares every file.

        Raises:
            WeightsError: one is missing or differs.
        """
        for file in self.files:
            file.check(folder / file.name, origin)

    def text(self) -> str:
        """The manifest as it is stored."""
        files = [asdict(file) for file in self.files]
        content = {"library": "talkedit", "format": FORMAT, "min_version": self.min_version, "files": files}
        return json.dumps(content, indent=2) + "\n"


def write_manifest(folder: Path) -> Manifest:
    """Measures what lies in a folder of weights and writes its manifest. Whatever trains weights calls this at its end.

    Raises:
        WeightsError: see `Manifest.of`.
        OutputError: the folder cannot be written to.
    """
    manifest, target = Manifest.of(folder), folder / MANIFEST
    with replacing(target) as temporary, explaining(target):
        temporary.write_text(manifest.text(), encoding="utf-8")
    return manifest


def _parsed(entries: object) -> tuple[WeightFile, ...]:
    """The list of files in a manifest; empty if anything about it is wrong."""
    files = []
    for entry in entries if isinstance(entries, list) else ():
        fields: dict[str, Any] = entry if isinstance(entry, dict) else {}
        file = WeightFile(*(fields.get(key) for key in ("name", "size", "sha256", "holds")))  # type: ignore[arg-type]
        if not all(isinstance(text, str) for text in (file.name, file.sha256, file.holds)):
            return ()
        if not (_FILE_NAME.fullmatch(file.name) and _SHA256.fullmatch(file.sha256)):
            return ()
        if type(file.size) is not int or file.size < 0:
            return ()
        files.append(file)
    return tuple(files) if len({file.name.lower() for file in files}) == len(files) else ()


def _check_size(size: int, origin: str) -> None:
    if size > MAX_BYTES:
        raise WeightsError(f"{origin} holds more than the {MAX_BYTES >> 20} MiB that weights may take; use others.")


def _measured(path: Path) -> WeightFile:
    holds = _HOLDS.get(path.stem, f"{path.stem} weights")
    about = holds if path.suffix == ".safetensors" else f"settings and measurements of {path.stem}.safetensors"
    return WeightFile(path.name, path.stat().st_size, _sha256(path), about)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()


def _newer(needed: str, version: str) -> bool:
    """Whether release `needed` is newer than `version`; what was never released is new enough for everything."""
    release = _RELEASE.match(version)
    return release is not None and _numbers(needed) > _numbers(release[0])


def _numbers(release: str) -> tuple[int, ...]:
    return tuple(map(int, release.split("."))) + (0,) * (3 - release.count("."))
