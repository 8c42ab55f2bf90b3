"""Runs mediapipe graphs quietly: one picture in, the packets of that picture out."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from talkedit_sdk.errors import WeightsError

# Running in the calling thread saves the hand-over between threads: a fifth of the time of a face.
_EXECUTOR = 'executor { name: "" type: "ApplicationThreadExecutor" }\n'


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Discards what native code writes to the terminal: TensorFlow Lite and absl log before they can be told."""
    if sys.stderr is not None:
        sys.stderr.flush()
    try:
        saved = os.dup(2)
    except OSError:  # no standard error to protect
        yield
        return
    sink = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(sink, 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(sink)


class Graph:
    """A mediapipe graph with the input stream `image`.

    Args:
        config: text of a CalculatorGraphConfig; model paths relative to site-packages.
        outputs: for each output stream the name of the `mediapipe.packet_getter` function that unpacks it.
        warm_up: side in pixels of the blank picture that is run once, so that the first real one is quiet and fast.

    Raises:
        WeightsError: mediapipe or its models are missing or damaged.
    """

    def __init__(self, config: str, outputs: Mapping[str, str], warm_up: int) -> None:
        self._time = 0
        self._packets: dict[str, Any] = {}
        with silence():
            try:
                self._start(config, outputs)
                self(np.zeros((warm_up, warm_up, 3), np.uint8))
            except (ImportError, RuntimeError, ValueError) as error:
                raise WeightsError(
                    f"The face tracking models of mediapipe cannot be loaded ({str(error).splitlines()[0]}); "
                    "reinstall them with `pip install --force-reinstall mediapipe==0.10.21`."
                ) from error

    def _start(self, config: str, outputs: Mapping[str, str]) -> None:
        import mediapipe  # half a second: only paid by those who track

        self._mediapipe = mediapipe
        mediapipe.resource_util.set_resource_dir(str(Path(mediapipe.__file__).parents[1]))
        self._graph = mediapipe.CalculatorGraph(graph_config=_EXECUTOR + config)
        self._getters = {stream: getattr(mediapipe.packet_getter, getter) for stream, getter in outputs.items()}
        for stream in outputs:
            # Not Python code: Ctrl-C would be raised in it, inside mediapipe, which aborts the process.
            self._graph.observe_output_stream(stream, self._packets.__setitem__)
        self._graph.start_run()

    def __call__(self, picture: NDArray[np.uint8]) -> dict[str, Any]:
        """Runs the graph on a contiguous (H, W, 3) RGB picture; streams without a packet are missing in the answer."""
        self._time += 1
        self._packets.clear()
        create = self._mediapipe.packet_creator.create_image_frame
        packet = create(image_format=self._mediapipe.ImageFormat.SRGB, data=picture, copy=True)
        self._graph.add_packet_to_input_stream("image", packet.at(self._time))
        self._graph.wait_until_idle()
        return {stream: self._getters[stream](packet) for stream, packet in self._packets.items()}
