"""Reading files of weights, which may come from anywhere: bounded in size, no code in them, one kind of error."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from talkedit_sdk.errors import WeightsError
from talkedit_sdk.face.topology import BLENDSHAPES

_MAX_CONFIG_BYTES: Final = 2**20


def read_tensors(path: Path, what: str, limit: int) -> dict[str, Tensor]:
    """The tensors of a safetensors file that holds `what`, at most `limit` bytes of them.

    Raises:
        WeightsError: the file is missing, damaged or too large.
    """
    try:
        _check_size(path, what, limit)
        return load_file(path)
    except (OSError, ValueError, SafetensorError) as error:
        raise _unusable(path, what, error) from None


def read_config(path: Path, what: str, format_: int) -> dict[str, Any]:
    """The JSON object beside the tensors, made for this format and these blendshapes.

    Raises:
        WeightsError: the file is missing, damaged, too large, or of another format.
    """
    try:
        _check_size(path, what, _MAX_CONFIG_BYTES)
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise _unusable(path, what, error) from None
    known = isinstance(config, dict) and config.get("format") == format_
    if not known or config.get("blendshapes") != list(BLENDSHAPES):
        raise WeightsError(f"The {what} in {path.parent} is of another version of talkedit; update one of them.")
    return dict(config)


def _check_size(path: Path, what: str, limit: int) -> None:
    if path.stat().st_size > limit:
        raise WeightsError(f"{path} is larger than a {what} can be; reinstall talkedit or load another folder.")


def _unusable(path: Path, what: str, error: Exception) -> WeightsError:
    return WeightsError(f"No usable {what} at {path} ({error}); reinstall talkedit or check the path.")
