"""Compiles the loops of the CPU path to machine code."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Compiles a function on its first call; it then runs without the interpreter lock.

    The machine code is kept beside the source, else in the user's cache folder (or in `NUMBA_CACHE_DIR`). Where none of
    them can be written, each process compiles it anew, about a second.

    Division by zero gives inf or NaN as in NumPy. Float operations are neither fused nor reordered, so that the torch
    path can repeat them bit by bit.
    """
    dispatcher = njit(nogil=True, error_model="numpy")(function)
    with contextlib.suppress(RuntimeError):  # raised where numba finds no folder that it may write to
        dispatcher.enable_caching()
    return cast(Function, dispatcher)
