"""How many cores the small tensors of a clip are spread over."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import torch


@contextmanager
def single_threaded() -> Iterator[None]:
    """Keeps torch on the calling thread.

    Fitting and drawing are thousands of operations too small to be worth sharing. Threads that wait for each other at
    each of them, on cores that decode and encode at the same time, made a clip take twenty times as long.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def single_threaded_pool(workers: int) -> ThreadPoolExecutor:
    """Threads that work side by side, each of which keeps torch to itself."""
    before = torch.get_num_threads()
    pool = ThreadPoolExecutor(workers, "talkedit-render", initializer=torch.set_num_threads, initargs=(1,))
    for started in [pool.submit(torch.get_num_threads) for _ in range(workers)]:
        started.result()
    torch.set_num_threads(before)  # what a thread sets is also the default of threads to come
    return pool
