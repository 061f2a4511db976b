"""``Batches``: a bounded queue in front of an exporter, with a thread and exact counts."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from stageflow_actors.telemetry.export_failures import ExportFailures, logger

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class BatchCounts:
    """Exact counts: ``submitted == exported + failed + dropped + waiting``.

    ``failed`` were given to the exporter and refused, ``dropped`` never were.
    """

    submitted: int = 0
    exported: int = 0
    failed: int = 0
    dropped: int = 0
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """How many items wait at most, how many are exported at a time, how long one waits for more."""

    max_queue_size: int = 2048
    max_batch_size: int = 512
    delay_s: float = 5.0


class Batches(Generic[T]):
    """Hands items to ``export`` in batches and in order, on a thread of its own.

    Nobody who offers an item waits: one too many is dropped, and counted. Memory is bounded by
    ``limits``: the queue, and the one batch that is on its way. ``export`` says whether the batch
    has arrived; ``close_exporter`` is called once, and has to make a pending ``export`` give up
    soon. Usable from any thread. Make it after a fork, not before: it has a thread.
    """

    def __init__(
        self,
        export: Callable[[list[T]], bool],
        close_exporter: Callable[[], None],
        failures: ExportFailures,
        limits: BatchLimits,
    ) -> None:
        self._export = export
        self._close_exporter = close_exporter
        self._failures = failures
        self._what = failures.what
        self.limits = limits
        # Re-entrant, as garbage collection may end a span at any line below.
        self._changed = threading.Condition(threading.RLock())
        self._queue: deque[T] = deque()
        self._submitted = self._exported = self._failed = self._dropped = self._on_its_way = 0
        self._flush_up_to = 0
        self._is_closing = self._is_exporter_closed = False
        # Not on first use: a first item at the exit of the process could start no thread any more.
        self._thread = threading.Thread(
            target=self._run, name=f"stageflow-export-{failures.what}", daemon=True
        )
        self._thread.start()

    @property
    def counts(self) -> BatchCounts:
        """What has become of every item so far."""
        with self._changed:
            return BatchCounts(
                submitted=self._submitted,
                exported=self._exported,
                failed=self._failed,
                dropped=self._dropped,
                waiting=len(self._queue) + self._on_its_way,
            )

    def offer(self, item: T) -> None:
        """Queue ``item``, or drop it for want of room, or because this is closed."""
        with self._changed:
            self._submitted += 1
            is_full = not self._is_closing and len(self._queue) >= self.limits.max_queue_size
            if is_full or self._is_closing:
                self._dropped += 1
            else:
                self._queue.append(item)
                if len(self._queue) in {1, self.limits.max_batch_size}:
                    self._changed.notify_all()
        if is_full:
            self._failures.note_full_queue()

    def flush(self, timeout_s: float) -> bool:
        """Export what is queued now, without delay; ``False`` if that takes longer."""
        with self._changed:
            target = self._decided() + len(self._queue) + self._on_its_way
            self._flush_up_to = max(self._flush_up_to, target)
            self._changed.notify_all()
            self._changed.wait_for(
                lambda: self._decided() >= target or not (self._queue or self._on_its_way),
                timeout_s,
            )
            return self._decided() >= target

    def begin_close(self) -> None:
        """Refuse further items, and export what is queued without delay; waits for nothing."""
        with self._changed:
            self._is_closing = True
            self._changed.notify_all()

    def close(self, timeout_s: float) -> bool:
        """Export what is queued, then end; what is left after ``timeout_s`` is dropped.

        A batch that the exporter has stays ``waiting`` until the exporter is done with it.
        ``False`` if that takes longer than ``timeout_s``.
        """
        self.begin_close()
        self._thread.join(max(0.0, timeout_s))
        if not self._thread.is_alive():
            return True
        with self._changed:
            left = len(self._queue)
            self._dropped += left
            self._queue.clear()
            self._changed.notify_all()
        self._failures.note_end(left)
        self._close_exporter_once()
        return False

    def _close_exporter_once(self) -> None:
        with self._changed:
            is_first, self._is_exporter_closed = not self._is_exporter_closed, True
        if is_first:
            try:
                self._close_exporter()
            except Exception:  # whatever it is, nothing more is exported
                logger.warning("Closing the exporter of %s failed.", self._what, exc_info=True)

    def _decided(self) -> int:
        """Of those that were queued, in the order in which they were; only they are exported."""
        return self._exported + self._failed

    def _run(self) -> None:
        try:
            while batch := self._next_batch():
                self._settle(batch, is_exported=self._failures.judge(self._export, batch))
        finally:
            self._close_exporter_once()
            self._failures.close()

    def _next_batch(self) -> list[T]:
        """The next items to export, once there are enough or the first waited long enough."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._is_closing)
            self._changed.wait_for(self._is_due, self.limits.delay_s)
            size = min(len(self._queue), self.limits.max_batch_size)
            self._on_its_way = size
            return [self._queue.popleft() for _ in range(size)]

    def _is_due(self) -> bool:
        return (
            self._is_closing
            or len(self._queue) >= self.limits.max_batch_size
            or self._decided() < self._flush_up_to
        )

    def _settle(self, batch: list[T], *, is_exported: bool) -> None:
        with self._changed:
            self._on_its_way = 0
            if is_exported:
                self._exported += len(batch)
            else:
                self._failed += len(batch)
            self._changed.notify_all()
