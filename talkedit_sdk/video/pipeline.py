"""Overlapping stages: a producer or a consumer in a thread of its own, behind a bounded queue."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Generator, Iterable
from types import TracebackType
from typing import Any, Generic, TypeVar

Item = TypeVar("Item")

_END: Any = object()


def prefetch(iterable: Iterable[Item], depth: int = 4) -> Generator[Item, None, None]:
    """The items of `iterable`, produced ahead in a thread, at most `depth` of them waiting.

    Errors of the producer are raised here, after the items before them. Closing the generator stops the thread, and
    closes `iterable` there if it is a generator.
    """
    waiting: queue.Queue[Item] = queue.Queue(depth)
    stopped = threading.Event()
    failure: list[BaseException] = []

    def produce() -> None:
        try:
            for item in iterable:
                waiting.put(item)
                if stopped.is_set():
                    break
            if isinstance(iterable, Generator):
                iterable.close()
        except BaseException as error:  # whatever it is, it belongs to whoever reads
            failure.append(error)
        if not stopped.is_set():
            waiting.put(_END)

    thread = threading.Thread(target=produce, name="talkedit-prefetch", daemon=True)
    thread.start()
    try:
        while (item := waiting.get()) is not _END:
            yield item
        if failure:
            raise failure[0]
    finally:
        stopped.set()
        _drain(waiting)
        thread.join()


class Background(Generic[Item]):
    """Calls `consumer` with each item that is put, in order, in a thread of its own, at most `depth` of them waiting.

    Leaving the block waits for all items; leaving it by an exception drops those that wait. The consumer's first error
    ends its work and is raised by the next `put`, or by leaving the block.

        with VideoWriter(...) as writer, Background(writer.write) as encoder:
            encoder.put(frame)
    """

    def __init__(self, consumer: Callable[[Item], object], depth: int = 4) -> None:
        self._consumer = consumer
        self._waiting: queue.Queue[Item] = queue.Queue(depth)
        self._failure: BaseException | None = None
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._consume, name="talkedit-background", daemon=True)

    def __enter__(self) -> Background[Item]:
        self._thread.start()
        return self

    def put(self, item: Item) -> None:
        """Waits while `depth` items wait already."""
        self._raise_failure()
        self._waiting.put(item)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self._waiting.put(_END)
                self._thread.join()
        finally:
            if self._thread.is_alive():
                self._stopped.set()
                _drain(self._waiting)
                self._waiting.put(_END)
                self._thread.join()
        if error is None:
            self._raise_failure()

    def _consume(self) -> None:
        while (item := self._waiting.get()) is not _END:
            if self._failure is not None or self._stopped.is_set():
                continue  # only emptying the queue, so that `put` never waits in vain
            try:
                self._consumer(item)
            except BaseException as failure:
                self._failure = failure

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure


def _drain(waiting: queue.Queue[Any]) -> None:
    """Empties the queue; its other side, if it waits to put one item, can do so."""
    with contextlib.suppress(queue.Empty):
        while True:
            waiting.get_nowait()
