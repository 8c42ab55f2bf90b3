"""Starts the app: `python app.py`, or `make app`."""

from pathlib import Path

from talkedit_sdk.app import serve

if __name__ == "__main__":
    serve(example=Path(__file__).with_name("examples") / "talk.mp4")
