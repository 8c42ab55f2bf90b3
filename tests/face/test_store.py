from __future__ import annotations

import os
import tempfile
from pathlib import Path

import numpy as np
import pytest

from talkedit_sdk.errors import OutputError
from talkedit_sdk.face.store import RowStore

SHAPE = (478, 3)
ROW = 478 * 3 * 4


@pytest.fixture
def rows():
    return np.random.default_rng(0).normal(size=(40, *SHAPE)).astype(np.float32)


@pytest.fixture
def temporary_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def stored(rows, memory, indices):
    with RowStore(rows.shape[1:], rows.dtype, memory) as store:
        for row in rows:
            store.append(row)
        assert len(store) == len(rows)
        return store.rows(np.array(list(indices), np.int64))


@pytest.mark.parametrize("memory", [100 * ROW, 7 * ROW, 0])
@pytest.mark.parametrize("picked", [range(40), range(5, 9), range(3, 40, 2), [0, 39], []])
def test_rows_come_back_wherever_they_are_kept(rows, temporary_folder, memory, picked):
    answer = stored(rows, memory, picked)
    assert answer.dtype == np.float32
    np.testing.assert_array_equal(answer, rows[list(picked)])
    with pytest.raises(ValueError, match="read-only"):
        answer[:] = 0


@pytest.mark.parametrize("memory", [1 << 20, 0])
@pytest.mark.parametrize(
    ("shape", "dtype"), [((48, 48, 3), np.uint8), ((2, 21, 2), np.float32), ((), np.int64), ((5,), np.bool_)]
)
def test_rows_of_any_kind(temporary_folder, memory, shape, dtype):
    rows = np.random.default_rng(0).integers(0, 200, (12, *shape)).astype(dtype)
    for picked in (range(12), [1, 2, 7], []):
        answer = stored(rows, memory, picked)
        assert answer.dtype == dtype
        np.testing.assert_array_equal(answer, rows[list(picked)])


def test_rows_are_converted_but_never_reshaped():
    with RowStore((3, 2), np.float32) as store:
        store.append(np.arange(6).reshape(3, 2))
        with pytest.raises(ValueError, match=r"\(2, 3\)"):
            store.append(np.zeros((2, 3)))
        np.testing.assert_array_equal(store.rows(np.array([0])), [[[0, 1], [2, 3], [4, 5]]])


def test_few_rows_touch_no_disk_and_many_leave_nothing_behind(rows, temporary_folder):
    in_memory = stored(rows, 100 * ROW, range(40))
    assert not isinstance(in_memory, np.memmap)
    on_disk = stored(rows, 10 * ROW, range(40))
    assert isinstance(on_disk, np.memmap)
    assert list(temporary_folder.iterdir()) == []
    np.testing.assert_array_equal(on_disk, in_memory)


def test_scattered_rows_of_a_long_clip_stay_on_disk(rows, temporary_folder):
    answer = stored(rows, 4 * ROW, range(0, 40, 3))
    assert isinstance(answer, np.memmap)


def test_memory_does_not_grow_with_length():
    row = np.ones(SHAPE, np.float32)
    with RowStore(SHAPE, np.float32, memory=1 << 20) as store:
        before = resident()
        for _ in range(20_000):
            store.append(row)
        assert resident() - before < 40 << 20, "114 MB were stored"
        assert store.rows(np.arange(20_000)).shape == (20_000, *SHAPE)


def test_unusable_temporary_folder(rows, temporary_folder):
    temporary_folder.rmdir()
    with pytest.raises(OutputError, match="TMPDIR"):
        stored(rows, 0, [])


def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
