"""A set of sequence numbers kept as ranges: what has been received, what a receipt covers, what is missing."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator

Range = tuple[int, int]
"""First and last number, both included."""


class SeqSet:
    """Integers as sorted, disjoint, non-adjacent ranges; adding the next number in order costs O(1)."""

    __slots__ = ("_first", "_last")

    def __init__(self, ranges: Iterable[Range] = ()) -> None:
        self._first: list[int] = []
        self._last: list[int] = []
        for first, last in ranges:
            self.add_range(first, last)

    def add(self, number: int) -> bool:
        """Put `number` in; False when it was there already."""
        if self._last and number == self._last[-1] + 1:
            self._last[-1] = number
            return True
        if number in self:
            return False
        self.add_range(number, number)
        return True

    def add_range(self, first: int, last: int) -> None:
        """Put every number from `first` to `last` in, both included. Raises ValueError when last < first."""
        if last < first:
            raise ValueError(f"a range runs upwards, not from {first} to {last}")
        low, high = self._touched(first, last)
        first, last = self.joined(first, last)
        self._first[low:high] = [first]
        self._last[low:high] = [last]

    def joined(self, first: int, last: int) -> Range:
        """The range that `first` to `last` would be part of once it is put in; nothing is put in."""
        low, high = self._touched(first, last)
        if low == high:
            return first, last
        return min(first, self._first[low]), max(last, self._last[high - 1])

    @property
    def highest(self) -> int:
        """The highest number held, 0 when there is none."""
        return self._last[-1] if self._last else 0

    def ranges(self) -> list[Range]:
        """The ranges in order."""
        return list(zip(self._first, self._last, strict=True))

    def gaps(self) -> list[Range]:
        """The ranges missing between the first and the last number held."""
        return [(last + 1, following - 1) for last, following in zip(self._last, self._first[1:], strict=False)]

    def _touched(self, first: int, last: int) -> tuple[int, int]:
        """Which ranges, as a slice, overlap or adjoin `first` to `last`."""
        return bisect_right(self._last, first - 2), bisect_right(self._first, last + 1)

    def __contains__(self, number: int) -> bool:
        at = bisect_right(self._first, number) - 1
        return at >= 0 and number <= self._last[at]

    def __len__(self) -> int:
        return sum(last - first + 1 for first, last in self.ranges())

    def __iter__(self) -> Iterator[int]:
        for first, last in self.ranges():
            yield from range(first, last + 1)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SeqSet) and self.ranges() == other.ranges()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"SeqSet({self.ranges()!r})"
