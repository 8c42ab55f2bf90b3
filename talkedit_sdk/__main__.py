"""`python -m talkedit_sdk` is `talkedit`."""

from __future__ import annotations

from talkedit_sdk.cli import main

main()
