"""Landmarks of all faces in the order in which they were found: in memory at first, then in a temporary file."""

from __future__ import annotations

import tempfile
from typing import IO

import numpy as np
from numpy.typing import NDArray

from talkedit_sdk.errors import OutputError
from talkedit_sdk.face.track import LANDMARKS

_ROW = LANDMARKS * 3
_CHUNK_BYTES = 4 << 20


class LandmarkStore:
    """An append-only list of (478, 3) float32 rows.

    Args:
        memory: bytes that may stay in memory; an hour of one face at 25 frames a second takes half a gigabyte.

    A context manager: leaving it closes the temporary file, while the arrays handed out stay readable. Where the system
    allows it the file has no name from the start, so nothing is left behind, whatever happens.
    """

    def __init__(self, memory: int = 64 << 20) -> None:
        self._memory = memory
        self._count = 0
        self._buffer = bytearray()
        self._file: IO[bytes] | None = None

    def __enter__(self) -> LandmarkStore:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._file is not None:
            self._file.close()

    def __len__(self) -> int:
        return self._count

    def append(self, landmarks: NDArray[np.float64] | NDArray[np.float32]) -> None:
        """Adds one row.

        Raises:
            OutputError: the temporary folder is full or not writable.
        """
        self._buffer += np.ascontiguousarray(landmarks, np.float32).tobytes()
        self._count += 1
        if len(self._buffer) > (self._memory if self._file is None else _CHUNK_BYTES):
            self._flush()

    def rows(self, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        """(N, 478, 3) read-only: the rows with these ascending indices, backed by a file if there are many.

        Rows cannot be appended any more after this.

        Raises:
            OutputError: the temporary folder is full or not writable.
        """
        everything = self._all()
        if len(indices) == 0 or indices[-1] - indices[0] + 1 == len(indices):
            first = int(indices[0]) if len(indices) else 0
            return everything[first : first + len(indices)]
        with LandmarkStore(self._memory) as picked:
            for index in indices:
                picked.append(everything[index])
            return picked._all()

    def _flush(self) -> None:
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile(prefix="talkedit-")  # noqa: SIM115 - closed on exit
            self._file.write(self._buffer)
            self._file.flush()
        except OSError as error:
            raise OutputError(
                f"The temporary folder {tempfile.gettempdir()} cannot take the landmarks of this long video "
                f"({error.strerror}); free some space there or set TMPDIR to another folder."
            ) from error
        self._buffer.clear()

    def _all(self) -> NDArray[np.float32]:
        if self._file is None:
            array = np.frombuffer(self._buffer, np.float32)
            array.flags.writeable = False
        else:
            if self._buffer:
                self._flush()
            array = np.memmap(self._file, np.float32, mode="r", shape=(self._count * _ROW,))
        return array.reshape(-1, LANDMARKS, 3)
