"""Where results go: checked before the work, written beside the target, renamed at the end."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av

from talkedit_sdk.errors import OutputError
from talkedit_sdk.video.types import VideoInfo

VIDEO_FORMATS = {".mp4": "mp4", ".mov": "mov", ".mkv": "matroska"}
PHOTO_FORMATS = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG", ".webp": "WEBP", ".tif": "TIFF", ".tiff": "TIFF"}

_TRIAL_BYTES = 1 << 16


def check_output(path: str | os.PathLike[str], source: VideoInfo) -> Path:
    """Whether the result of editing `source` can be written to `path`, found out by writing a little beside it.

    Returns:
        The absolute path, symbolic links resolved.

    Raises:
        OutputError: unknown extension, a directory, the source itself, or a folder that is missing, read-only or full.
    """
    shown = Path(path)
    formats = PHOTO_FORMATS if source.kind == "photo" else VIDEO_FORMATS
    if shown.suffix.lower() not in formats:
        kind = "a photo" if source.kind == "photo" else "a video"
        raise OutputError(f"{kind.capitalize()} cannot be written to {shown}: end its name in {', '.join(formats)}.")
    return check_target(shown, source.path)


def check_target(shown: Path, source: Path | None) -> Path:
    """`check_output` for a file of any kind, made from the file `source`."""
    try:
        target = Path(os.path.realpath(shown))
        if target.is_dir():
            raise OutputError(f"The output {shown} is a directory: name a file in it.")
        if not target.parent.is_dir():
            raise OutputError(f"The output folder {target.parent} does not exist: create it first.")
        if target.exists():
            if source is not None and source.exists() and target.samefile(source):
                raise OutputError(f"The output {shown} is the input itself: choose another name.")
            if not target.is_file() or not os.access(target, os.W_OK):
                raise OutputError(f"The output {shown} may not be overwritten: choose another name.")
        trial = _create_beside(target)
        try:
            trial.write_bytes(bytes(_TRIAL_BYTES))
        finally:
            trial.unlink()
    except OutputError:
        raise
    except (OSError, ValueError) as error:
        raise _explained(error, shown) from error
    return target


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Yields a new file beside `target`. It takes the target's place when the block ends, and vanishes when it raises.

    Raises:
        OutputError: the file cannot be created or renamed.
    """
    with explaining(target):
        temporary = _create_beside(target)
    try:
        yield temporary
        with explaining(target):
            if target.exists():
                shutil.copymode(target, temporary)
            temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def explaining(target: Path) -> Iterator[None]:
    """Turns errors of the file system and of ffmpeg while writing `target` into OutputError."""
    try:
        yield
    except OutputError:
        raise
    except (OSError, av.error.FFmpegError) as error:
        raise _explained(error, target) from error


def _explained(error: Exception, target: Path) -> OutputError:
    code = getattr(error, "errno", None)
    if code in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        reason = "there is no room left, free some space or choose another folder"
    elif code in (errno.EACCES, errno.EPERM, errno.EROFS):
        reason = "the folder is not writable, choose another one"
    elif code == errno.ENAMETOOLONG:
        reason = "its name is too long, choose a shorter one"
    else:
        reason = f"{getattr(error, 'strerror', None) or error}, choose another folder or name"
    return OutputError(f"The output {target} cannot be written: {reason}.")


def _create_beside(target: Path) -> Path:
    """A new empty file in the target's folder, with the permissions that a new file gets there."""
    path = target.parent / f".talkedit-{secrets.token_hex(8)}.part"
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    return path
