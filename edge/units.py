"""Each driver on a thread of its own: opened, read, closed and opened again when it fails, never in another's way."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from typing import Any

from edge.core.sampling import fault
from edge.events import Answer, EdgeSeen, Event, Failed, Paged, Sampled, Works
from edge.ports import Buttons, Measurement, Recorder, Sensor, SensorError

log = logging.getLogger(__name__)

RETRY_S = (1.0, 60.0)
"""Usual waits after a failure, the first and the longest; it doubles in between."""


class Unit:
    """One driver's thread. It tells `emit` what happens and knows nothing of outbox or broker."""

    def __init__(
        self,
        name: str,
        open_driver: Callable[[], Any],
        *,
        interval_s: float,
        emit: Callable[[Event], None],
        monotonic_ns: Callable[[], int],
        now_ms: Callable[[], int],
        may_ask: threading.Event,
        position: str | None,
        retry_s: tuple[float, float] = RETRY_S,
    ) -> None:
        """Prepare; nothing is opened before `start`.

        Args:
            name: in the site file.
            open_driver: gives a Sensor, a Recorder or Buttons.
            interval_s: seconds from one reading of a Sensor to the next.
            emit: takes events, from this unit's threads.
            monotonic_ns: the monotonic clock.
            now_ms: the time of day as well as the agent knows it.
            may_ask: set when that is good enough to ask a Recorder, which loses nothing by waiting.
            position: where a Recorder goes on.
            retry_s: first and longest wait before a driver that failed is opened again.
        """
        self.name = name
        self._open = open_driver
        self._interval_s = interval_s
        self._emit = emit
        self._monotonic_ns, self._now_ms = monotonic_ns, now_ms
        self._may_ask = may_ask
        self._position = position
        self._retry_s = retry_s
        self._stopping = threading.Event()
        self._failed = True
        self._busy_since_ns = 0
        self._thread = threading.Thread(target=self._run, name=f"driver-{name}", daemon=True)

    def start(self) -> None:
        """Begin; a driver that cannot be opened is tried again for ever."""
        self._thread.start()

    def stop(self) -> None:
        """Ask the thread to close its driver and end; it may be inside a reading."""
        self._stopping.set()

    def join(self, timeout_s: float) -> None:
        """Wait for that, so long at most."""
        self._thread.join(timeout_s)

    def silent_s(self, now_ns: int) -> float:
        """Seconds that the driver has not come back from a call; 0 when it is in none."""
        since_ns = self._busy_since_ns
        return (now_ns - since_ns) / 1e9 if since_ns else 0.0

    def _run(self) -> None:
        shortest_s, longest_s = self._retry_s
        pause_s = shortest_s
        while not self._stopping.is_set():
            try:
                self._serve()
            except SensorError as error:
                why = str(error)
            except Exception as error:  # a driver's mistake must not end the others
                log.debug("driver %s", self.name, exc_info=True)
                why = f"{type(error).__name__}: {error}"
            else:
                return
            pause_s = min(longest_s, pause_s * 2) if self._failed else shortest_s
            self._busy_since_ns, self._failed = 0, True
            self._emit(Failed(self.name, why))
            self._stopping.wait(pause_s)

    def _serve(self) -> None:
        """Open and use the driver until it fails or the agent ends."""
        driver = self._call(self._open)
        try:
            if hasattr(driver, "read"):
                self._sample(driver)
            elif hasattr(driver, "since"):
                self._follow(driver)
            else:
                self._listen(driver)
        finally:
            self._busy_since_ns = 0
            driver.close()

    def _listen(self, buttons: Buttons) -> None:
        self._call(lambda: buttons.start(lambda button, edge: self._emit(EdgeSeen(self.name, button, edge))))
        self._works()
        self._stopping.wait()

    def _sample(self, sensor: Sensor) -> None:
        due_ns = self._monotonic_ns()
        interval_ns = round(self._interval_s * 1e9)
        while not self._stopping.is_set():
            values = self._call(sensor.read)
            at_ns = self._monotonic_ns()
            self._check(values)
            self._works()
            self._emit(Sampled(self.name, at_ns, values))
            due_ns += interval_ns * (max(0, at_ns - due_ns) // interval_ns + 1)
            self._stopping.wait(max(0, due_ns - self._monotonic_ns()) / 1e9)

    def _follow(self, recorder: Recorder) -> None:
        while not self._may_ask.wait(0.5):
            if self._stopping.is_set():
                return
        while not self._stopping.is_set():
            page = self._call(lambda: recorder.since(self._position, self._now_ms()))
            self._check([Measurement(value.quantity, value.value) for value in page.values])
            self._works()
            pause_s = page.again_s
            if page.values or page.position != self._position:
                answer = self._hand_over(page)
                if answer is None:
                    return
                if answer.stored:
                    self._position = page.position
                pause_s = max(pause_s, answer.pause_s)
            self._stopping.wait(pause_s)

    def _hand_over(self, page: Any) -> Answer | None:
        """Give a page to the agent and wait until it is on disk; None when the agent ends first."""
        answers: queue.SimpleQueue[Answer] = queue.SimpleQueue()
        self._emit(Paged(self.name, page, answers.put))
        while not self._stopping.is_set():
            try:
                return answers.get(timeout=0.5)
            except queue.Empty:
                continue
        return None

    def _call(self, call: Callable[[], Any]) -> Any:
        self._busy_since_ns = self._monotonic_ns()
        result = call()
        self._busy_since_ns = 0
        return result

    def _check(self, values: Any) -> None:
        for quantity, value in values:
            why = fault(quantity, value)
            if why:
                raise SensorError(why)

    def _works(self) -> None:
        if self._failed:
            self._failed = False
            self._emit(Works(self.name))
