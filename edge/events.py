"""What the agent's threads tell its one consumer, in the order in which it happened."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from broker.contract.seqset import Range
from edge.ports import Edge, Measurement, Page


class EdgeSeen(NamedTuple):
    """A contact changed: of which driver, and which of its buttons."""

    driver: str
    button: str
    edge: Edge


class Sampled(NamedTuple):
    """A sensor was read at that monotonic time."""

    sensor: str
    at_ns: int
    values: Sequence[Measurement]


class Answer(NamedTuple):
    """What became of a page.

    Attributes:
        stored: values and position are on disk; otherwise the same page is to be asked for again.
        pause_s: seconds to leave the recorder alone, because so much is waiting to be sent already.
    """

    stored: bool
    pause_s: float


class Paged(NamedTuple):
    """A recorder gave a page and waits for the answer."""

    recorder: str
    page: Page
    answer: Callable[[Answer], None]


class Failed(NamedTuple):
    """A driver cannot be used now, and why."""

    name: str
    why: str


class Works(NamedTuple):
    """A driver was opened or read without fault, for the first time or after it had failed."""

    name: str


class Connected(NamedTuple):
    """A connection to the broker is up and receipts are subscribed to; connections are numbered 1, 2, 3, ..."""

    number: int


class Disconnected(NamedTuple):
    """That connection is gone."""

    number: int


class Received(NamedTuple):
    """A receipt came."""

    epoch: str
    ranges: tuple[Range, ...]


class Stop(NamedTuple):
    """End in order, now."""


class Reload(NamedTuple):
    """The site file may have changed."""


Event = EdgeSeen | Sampled | Paged | Failed | Works | Connected | Disconnected | Received | Stop | Reload
