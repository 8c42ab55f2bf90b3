"""One visitor's clip with everything made of it, in a folder that vanishes with the session."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
import weakref
from pathlib import Path

from talkedit_sdk.app import texts
from talkedit_sdk.app.keyframes import KeyFrame
from talkedit_sdk.app.studio import Outcome
from talkedit_sdk.clip import Clip, Face
from talkedit_sdk.errors import InputNotFoundError


class Session:
    """A clip that was uploaded, in a folder below `parent`; close it, or let go of it, to remove the files.

    upload: the file as the web server received it. It is linked into the folder, so that it stays readable for as long
    as it is needed, and removed with the last session that shows it.
    """

    def __init__(self, upload: Path, parent: Path) -> None:
        parent.mkdir(parents=True, exist_ok=True)
        self.folder = Path(tempfile.mkdtemp(prefix="talkedit-", dir=parent))
        self._uploads: list[Path] = []
        self._remove = weakref.finalize(self, _remove, self.folder, self._uploads, parent)
        self.name = upload.name
        self.names: dict[Path, str] = {}
        self.video = self.bring(upload, "source")
        self.voice: Path | None = None
        self.clip: Clip | None = None
        self.outcome: Outcome | None = None
        self.faces: tuple[Face, ...] = ()
        self.key_frames: tuple[KeyFrame, ...] = ()

    def bring(self, upload: Path, stem: str) -> Path:
        """Where another upload is now, named `stem`; `names` tells what the visitor calls it.

        Raises:
            InputNotFoundError: it is gone, and the session closed.
        """
        path = self.folder / f"{stem}{upload.suffix.lower()[:8]}"
        try:
            os.link(upload, path)
        except FileNotFoundError:
            self.close()
            raise InputNotFoundError(texts.SESSION_OVER) from None
        except OSError:
            shutil.copyfile(upload, path)
        self._uploads.append(upload)
        self.names[path] = upload.name
        return path

    @property
    def open(self) -> bool:
        """False once the files are gone."""
        return self._remove.alive

    @property
    def stem(self) -> str:
        """What results are named after."""
        kept = "".join(sign for sign in Path(self.name).stem if sign.isalnum() or sign in "-_ ")
        return kept.strip()[:40] or "clip"

    @property
    def stop_file(self) -> Path:
        """Exists while the work of this session should end: seen from other threads and processes alike."""
        return self.folder / "stop"

    def stop(self) -> None:
        """Asks the work under way to end."""
        with contextlib.suppress(FileNotFoundError):
            self.stop_file.touch()

    def close(self) -> None:
        """Ends the work and removes the files. May be called again."""
        if self.open:
            self.stop()
            self._remove()


def sweep(parent: Path, hours: float = 24) -> None:
    """Removes folders that sessions of a server that was killed left behind."""
    for folder in parent.glob("talkedit-*"):
        with contextlib.suppress(OSError):
            if time.time() - folder.stat().st_mtime > 3600 * hours:
                shutil.rmtree(folder, ignore_errors=True)


def _remove(folder: Path, uploads: list[Path], parent: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    for upload in uploads:
        with contextlib.suppress(OSError):
            # Equal uploads share one file: it goes when no other session is linked to it.
            if upload.is_relative_to(parent) and upload.stat().st_nlink == 1:
                upload.unlink()
                upload.parent.rmdir()
