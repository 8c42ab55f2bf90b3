from __future__ import annotations

import threading
import time

import pytest

from talkedit_sdk.video.pipeline import Background, prefetch


@pytest.fixture(autouse=True)
def _no_leaked_threads():
    before = set(threading.enumerate())
    yield
    deadline = time.monotonic() + 30
    while set(threading.enumerate()) - before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert set(threading.enumerate()) <= before


def numbers(count, made, closed):
    try:
        for number in range(count):
            made.append(number)
            yield number
    finally:
        closed.append(threading.current_thread().name)


def put_all(background, items, error=None):
    with background:
        for item in items:
            background.put(item)
        if error is not None:
            raise error


class TestPrefetch:
    def test_keeps_order(self):
        assert list(prefetch(range(1000), depth=3)) == list(range(1000))
        assert list(prefetch([], depth=1)) == []

    @pytest.mark.parametrize("depth", [1, 4])
    def test_runs_ahead_by_the_depth_only(self, depth):
        made = []
        items = prefetch(numbers(100, made, []), depth=depth)
        for expected in range(20):
            assert next(items) == expected
            time.sleep(0.002)
            assert len(made) <= expected + depth + 2
        assert len(made) >= 20 + depth - 1
        items.close()

    def test_works_at_the_same_time(self):
        ahead = threading.Event()

        def producing():
            yield 1
            ahead.set()
            yield 2

        items = prefetch(producing())
        assert next(items) == 1
        assert ahead.wait(30), "the second item was not begun while the first was in use"
        items.close()

    def test_error_comes_after_the_items_before_it(self):
        def failing():
            yield 1
            yield 2
            raise ValueError("broken")

        seen = []
        with pytest.raises(ValueError, match="broken"):
            seen.extend(prefetch(failing()))
        assert seen == [1, 2]

    def test_error_of_iter_itself(self):
        class Broken:
            def __iter__(self):
                raise RuntimeError("no iterator")

        with pytest.raises(RuntimeError, match="no iterator"):
            next(prefetch(Broken()))

    @pytest.mark.parametrize("depth", [1, 4])
    @pytest.mark.parametrize("read", [1, 5])
    def test_closing_early_closes_the_producer_in_its_thread(self, depth, read):
        made, closed = [], []
        items = prefetch(numbers(10**9, made, closed), depth=depth)
        for _ in range(read):
            next(items)
        items.close()
        assert closed == ["talkedit-prefetch"]
        assert len(made) <= read + depth + 2

    def test_error_of_the_reader_stops_the_producer(self):
        closed = []

        def read():
            for number in prefetch(numbers(10**9, [], closed)):
                if number == 3:
                    raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            read()
        deadline = time.monotonic() + 30
        while not closed and time.monotonic() < deadline:
            time.sleep(0.01)
        assert closed == ["talkedit-prefetch"]

    def test_never_started_never_runs(self):
        made = []
        prefetch(numbers(5, made, [])).close()
        assert made == []


class TestBackground:
    @pytest.mark.parametrize("depth", [1, 4])
    def test_consumes_everything_in_order(self, depth):
        seen = []
        put_all(Background(seen.append, depth), range(500))
        assert seen == list(range(500))

    def test_waits_when_the_queue_is_full(self):
        gate = threading.Event()
        seen, put = [], []

        def consume(item):
            gate.wait(5)
            seen.append(item)

        with Background(consume, depth=2) as background:
            opener = threading.Timer(0.05, gate.set)
            opener.start()
            for number in range(10):
                background.put(number)
                put.append(gate.is_set())
        assert seen == list(range(10))
        assert put[:3].count(False) == 3
        assert put[4:] == [True] * 6

    def test_error_reaches_the_caller_at_put_or_at_the_end(self):
        def failing(item):
            raise ValueError(f"broken at {item}")

        with pytest.raises(ValueError, match="broken at 0"):
            put_all(Background(failing, 1), range(10_000))
        with pytest.raises(ValueError, match="broken at 7"):
            put_all(Background(failing), [7])

    def test_nothing_is_consumed_after_an_error(self):
        seen = []

        def failing(item):
            seen.append(item)
            if item == 2:
                raise ValueError("broken")

        with pytest.raises(ValueError, match="broken"):
            put_all(Background(failing, 8), range(8))
        assert seen == [0, 1, 2]

    @pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
    def test_error_of_the_caller_drops_what_waits(self, error):
        gate = threading.Event()
        seen = []

        def consume(item):
            gate.wait(0.05)
            seen.append(item)

        start = time.monotonic()
        with pytest.raises(error):
            put_all(Background(consume, 4), range(4), error)
        assert time.monotonic() - start < 1
        assert len(seen) <= 2
