"""Which talkedit this is."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def installed() -> str:
    """The version of the installed package, or "(source tree)" where it was not installed."""
    try:
        return version("talkedit")
    except PackageNotFoundError:
        return "(source tree)"
