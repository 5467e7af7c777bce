"""Jobs that take turns: small steps, each on its own schedule, each with its own backoff."""

from __future__ import annotations

import logging
import select
from collections.abc import Callable, Iterable

from api.stop import Stop

_LOG = logging.getLogger(__name__)

BACKOFF_S = (1.0, 60.0)
"""First and longest wait of a job that failed."""


class Job:
    """A step that is taken again and again.

    Args:
        name: for the log and the metrics.
        every_s: pause after a step that left nothing waiting.
        step: does a small piece of work; True while more is waiting. Whatever it raises, it is tried again.
    """

    def __init__(self, name: str, every_s: float, step: Callable[[], bool]) -> None:
        self.name = name
        self.due_s = 0.0
        self.failures = 0
        """Steps since the start that failed."""
        self._every_s, self._step = every_s, step
        self._wait_s = BACKOFF_S[0]
        self._failing = False

    def run(self, now_s: float) -> None:
        """Take one step and set when the next is due; a failure is logged once, and once when it is over."""
        try:
            more = self._step()
        except Exception as error:  # noqa: BLE001 one job's trouble is not the others'
            self._failed(error, now_s)
            return
        if self._failing:
            _LOG.warning("%s: goes on", self.name)
        self._failing, self._wait_s = False, BACKOFF_S[0]
        self.due_s = now_s if more else now_s + self._every_s

    def _failed(self, error: Exception, now_s: float) -> None:
        expected = hasattr(error, "retryable") or type(error).__module__.startswith(("sqlalchemy", "sqlite3"))
        if not self._failing:
            _LOG.error("%s: stopped, trying again: %s", self.name, error, exc_info=None if expected else error)
        self.failures += 1
        self._failing = True
        self.due_s = now_s + self._wait_s
        self._wait_s = min(self._wait_s * 2, BACKOFF_S[1])


def take_turns(jobs: Iterable[Job], stop: Stop, monotonic: Callable[[], float]) -> None:
    """Run whatever is due, one step each in turn, until told to stop; `jobs` may grow meanwhile."""
    while not stop.is_set():
        for job in list(jobs):
            if job.due_s <= monotonic() and not stop.is_set():
                job.run(monotonic())
        rest_s = min((job.due_s for job in jobs), default=monotonic() + 1.0) - monotonic()
        if rest_s > 0:
            select.select([stop], [], [], rest_s)
