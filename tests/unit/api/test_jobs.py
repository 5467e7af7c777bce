"""Jobs take turns, and one's trouble is not the others'."""

from __future__ import annotations

import logging
import threading

import pytest

from api.stop import Stop
from api.worker.jobs import BACKOFF_S, Job, take_turns


class Step:
    """Answers, or raises, what it is told to, in order; the last for ever."""

    def __init__(self, *answers: bool | Exception) -> None:
        self._answers = list(answers)
        self.calls = 0

    def __call__(self) -> bool:
        self.calls += 1
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def test_a_job_with_more_to_do_is_due_at_once_and_else_after_its_pause() -> None:
    job = Job("sweep", 30, Step(True, False))
    job.run(100)
    assert job.due_s == 100
    job.run(100)
    assert job.due_s == 130


def test_a_failing_job_waits_longer_each_time_and_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    job = Job("sweep", 30, Step(OSError("gone"), OSError("gone"), OSError("gone"), False, OSError("again"), False))
    waits = []
    for _ in range(3):
        job.run(0)
        waits.append(job.due_s)
    assert waits == [BACKOFF_S[0], 2 * BACKOFF_S[0], 4 * BACKOFF_S[0]]
    assert len(caplog.records) == 1
    job.run(0)
    job.run(0)
    assert job.due_s == BACKOFF_S[0]
    assert job.failures == 4
    assert [record.levelno for record in caplog.records] == [logging.ERROR, logging.WARNING, logging.ERROR]


def test_the_wait_of_a_failing_job_has_an_end() -> None:
    job = Job("sweep", 1, Step(OSError("gone")))
    for _ in range(20):
        job.run(0)
    assert job.due_s == BACKOFF_S[1]


def test_a_busy_job_and_a_failing_one_keep_no_other_from_its_turn() -> None:
    stop = Stop()
    quiet = Step(False, False)
    jobs = [
        Job("busy", 1, Step(True)),
        Job("broken", 1, Step(TypeError("bug"))),
        Job("quiet", 0, lambda: stop.set() if quiet() or quiet.calls == 3 else False),
    ]
    seconds = iter(range(1000))
    take_turns(jobs, stop, lambda: float(next(seconds)))
    assert quiet.calls == 3


def test_a_job_may_add_jobs() -> None:
    stop = Stop()
    jobs: list[Job] = []

    def look() -> bool:
        if len(jobs) == 1:
            jobs.append(Job("found", 100, lambda: bool(stop.set())))
        return False

    jobs.append(Job("look", 0, look))
    seconds = iter(range(1000))
    take_turns(jobs, stop, lambda: float(next(seconds)))
    assert [job.name for job in jobs] == ["look", "found"]


def test_stopping_wakes_a_sleeping_loop() -> None:
    stop = Stop()
    runner = threading.Thread(target=take_turns, args=([Job("idle", 3600, Step(False))], stop, lambda: 0.0))
    runner.start()
    stop.set()
    stop.set()
    runner.join(5)
    assert not runner.is_alive()
