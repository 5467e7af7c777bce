"""What can go wrong for who calls us: each error carries its HTTP status and whether trying again can help."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import NamedTuple


class FieldError(NamedTuple):
    """One field of a request that cannot be used, and what to send instead."""

    field: str
    message: str


class Problem(Exception):
    """Something the caller is told of, as RFC 9457 problem details over HTTP and as one line on a terminal.

    Args:
        detail: what was wrong, where, and what to do; never a secret and never another site's data.
        fields: the fields of the request that are to blame.
        headers: to send along.
    """

    status = HTTPStatus.INTERNAL_SERVER_ERROR
    retryable = False

    def __init__(
        self, detail: str, *, fields: Sequence[FieldError] = (), headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.fields = tuple(fields)
        self.headers = dict(headers or {})


class InvalidError(Problem):
    """The request cannot be understood as it stands."""

    status = HTTPStatus.BAD_REQUEST


class UnauthorizedError(Problem):
    """No credential, or one that is unknown, expired or revoked."""

    status = HTTPStatus.UNAUTHORIZED

    def __init__(self, detail: str) -> None:
        super().__init__(detail, headers={"WWW-Authenticate": 'Bearer realm="simpul"'})


class ForbiddenError(Problem):
    """The credential is good, and does not reach this far."""

    status = HTTPStatus.FORBIDDEN


class NotFoundError(Problem):
    """There is none, or none that the caller may know of."""

    status = HTTPStatus.NOT_FOUND


class ConflictError(Problem):
    """It exists already, or its state does not allow it."""

    status = HTTPStatus.CONFLICT


class TooManyAttemptsError(Problem):
    """Too many failed sign-ins from one address."""

    status = HTTPStatus.TOO_MANY_REQUESTS
    retryable = True

    def __init__(self, wait_s: int) -> None:
        super().__init__(
            f"too many failed sign-ins from this address; try again in {wait_s} seconds",
            headers={"Retry-After": str(wait_s)},
        )


class UnavailableError(Problem):
    """A store or the broker is away."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    retryable = True

    def __init__(self, detail: str) -> None:
        super().__init__(detail, headers={"Retry-After": "5"})


def invalid(field: str, message: str) -> InvalidError:
    """The error for one unusable field."""
    return InvalidError(f"{field}: {message}", fields=[FieldError(field, message)])
