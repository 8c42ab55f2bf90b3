"""Rows of numbers in the order in which they were found: in memory at first, then in a temporary file."""

from __future__ import annotations

import math
import tempfile
from typing import IO, Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from talkedit_sdk.errors import OutputError

_CHUNK_BYTES = 4 << 20


class RowStore:
    """An append-only list of arrays of one shape.

    Args:
        shape: of a row, none of its sides 0.
        dtype: of a row.
        memory: bytes that may stay in memory; an hour of one face at 25 frames a second takes half a gigabyte for its
            landmarks and as much for its textures.

    A context manager: leaving it closes the temporary file, while the arrays handed out stay readable. Where the system
    allows it the file has no name from the start, so nothing is left behind, whatever happens.
    """

    def __init__(self, shape: tuple[int, ...], dtype: DTypeLike, memory: int = 64 << 20) -> None:
        self._shape, self._dtype, self._memory = shape, np.dtype(dtype), memory
        self._count = 0
        self._buffer = bytearray()
        self._file: IO[bytes] | None = None

    def __enter__(self) -> RowStore:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._file is not None:
            self._file.close()

    def __len__(self) -> int:
        return self._count

    def append(self, row: NDArray[Any]) -> None:
        """Adds one row, converted to the store's dtype.

        Raises:
            OutputError: the temporary folder is full or not writable.
        """
        if row.shape != self._shape:
            raise ValueError(f"a row is {row.shape}, not {self._shape}")
        self._buffer += np.ascontiguousarray(row, self._dtype).tobytes()
        self._count += 1
        if len(self._buffer) > (self._memory if self._file is None else _CHUNK_BYTES):
            self._flush()

    def rows(self, indices: NDArray[np.int64]) -> NDArray[Any]:
        """(N, *shape) read-only: the rows with these ascending indices, backed by a file if there are many.

        Rows cannot be appended any more after this.

        Raises:
            OutputError: the temporary folder is full or not writable.
        """
        everything = self._all()
        if len(indices) == 0 or indices[-1] - indices[0] + 1 == len(indices):
            first = int(indices[0]) if len(indices) else 0
            return everything[first : first + len(indices)]
        with RowStore(self._shape, self._dtype, self._memory) as picked:
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
                f"The temporary folder {tempfile.gettempdir()} cannot take what was tracked in this long video "
                f"({error.strerror}); free some space there or set TMPDIR to another folder."
            ) from error
        self._buffer.clear()

    def _all(self) -> NDArray[Any]:
        if self._file is None:
            array: NDArray[Any] = np.frombuffer(self._buffer, self._dtype)
            array.flags.writeable = False
        else:
            if self._buffer:
                self._flush()
            array = np.memmap(self._file, self._dtype, mode="r", shape=(self._count * math.prod(self._shape),))
        return array.reshape(self._count, *self._shape)
