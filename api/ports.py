"""What the server needs of the world."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from broker.contract.series import Point, SeriesKey


class SeriesInfo(NamedTuple):
    """A series and its extent.

    Attributes:
        id: a positive integer that never changes and is never used again.
        first_ms: time of the oldest point that is still there as a sample; `last_ms` when retention has left none.
        last_ms: time of its newest point, which stays known for ever.
        interval_ms: the time its newest point stands for, 0 when not known.
    """

    id: int
    key: SeriesKey
    first_ms: int
    last_ms: int
    interval_ms: int


class Sample(NamedTuple):
    """One stored value as read back."""

    at_ms: int
    value: float
    quality: int


class Bucket(NamedTuple):
    """The values of one interval of time; an interval that holds none has no bucket, so a gap stays a gap.

    Attributes:
        start_ms: its beginning, milliseconds since 1970 UTC.
        count: values in it whose quality is not FAIL.
        failed: values in it whose quality is FAIL; they are in no figure below.
        minimum, mean, maximum: over `count` values, None when count is 0. The mean of a circular quantity (degrees)
            is the direction of the mean vector, None when the directions cancel out.
        total: the sum of the values, for quantities where that is what means something.
        expected: values that the instrument's own interval calls for in the whole bucket: its width over the mean
            interval of its values (failed ones too), rounded half up, at least 1; None when no value said its
            interval. Completeness is min(1, count / expected).
    """

    start_ms: int
    count: int  # type: ignore[assignment]  # hides tuple.count
    failed: int
    minimum: float | None
    mean: float | None
    maximum: float | None
    total: float
    expected: int | None


class SeriesStoreError(Exception):
    """The store cannot do it now.

    Args:
        what: cause and remedy in one line.
        retryable: whether the same call may succeed later.
    """

    def __init__(self, what: str, *, retryable: bool) -> None:
        super().__init__(what)
        self.retryable = retryable


class SeriesStore(Protocol):
    """Where readings live. One writer, any number of readers in other processes."""

    def write(self, points: Sequence[Point]) -> int:
        """Store points durably, all or none; repeating a call changes nothing.

        Of the same key and time the last written counts.

        Returns:
            How many were left out because they are older than the samples that retention keeps.

        Raises:
            SeriesStoreError: nothing is stored.
            ValueError: a value is not finite, or a time is before 1970; nothing is stored.
        """
        ...

    def maintain(self, now_ms: int, budget_ms: int = 50) -> bool:
        """Do a slice of upkeep (move, rollups, retention) of about `budget_ms`; True while more is waiting.

        Retention counts back from `now_ms` or from the newest point, whichever is earlier, so that a clock that runs
        ahead deletes nothing.
        """
        ...

    def series(
        self,
        *,
        site: str | None = None,
        device: str | None = None,
        quantity: str | None = None,
        after: int = 0,
        limit: int = 1000,
    ) -> list[SeriesInfo]:
        """Series in the order of their ids, those above `after`."""
        ...

    def find(self, ids: Sequence[int]) -> dict[int, SeriesInfo]:
        """The series of those ids; an id that is none is left out."""
        ...

    def latest(self, ids: Sequence[int]) -> dict[int, Sample]:
        """The newest sample of each series by measurement time."""
        ...

    def samples(self, id: int, start_ms: int, end_ms: int, *, limit: int) -> list[Sample]:
        """Raw samples with start <= time < end in time order, the first `limit` of them."""
        ...

    def buckets(
        self, id: int, start_ms: int, end_ms: int, width_ms: int, *, offset_ms: int = 0, limit: int
    ) -> list[Bucket]:
        """The first `limit` buckets that hold something and begin in start <= begin < end.

        Args:
            width_ms: their width; a multiple of an hour is answered from rollups, as far back as those are kept.
            offset_ms: the zone's offset from UTC: a bucket begins where (begin + offset_ms) % width_ms == 0, so that
                a day begins at local midnight.
        """
        ...

    def close(self) -> None:
        """Let go of files and connections."""
        ...
