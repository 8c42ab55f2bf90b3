"""Where tensors live."""

from __future__ import annotations

import torch

from talkedit_sdk.errors import OptionError


def find_device(device: str | torch.device) -> torch.device:
    """The device of a name; "auto" is CUDA where there is one.

    Raises:
        OptionError: there is no such device.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
        torch.empty(0, device=chosen)
    except (RuntimeError, AssertionError):
        raise OptionError(f"There is no device '{device}' here; use 'auto', 'cpu' or 'cuda'.") from None
    return chosen
