"""Why a message cannot be used: one reason word that is counted, and one sentence that is read."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """The reasons a message or one of its readings is put aside; the words are labels in metrics."""

    BAD_TOPIC = "bad_topic"
    BAD_ENVELOPE = "bad_envelope"
    BAD_BODY = "bad_body"
    UNKNOWN_VERSION = "unknown_version"
    TOO_LARGE = "too_large"
    UNKNOWN_QUANTITY = "unknown_quantity"
    WRONG_UNIT = "wrong_unit"
    NOT_A_NUMBER = "not_a_number"
    TIME_FUTURE = "time_future"
    TIME_PAST = "time_past"


class ContractError(ValueError):
    """A text, topic or payload that breaks the contract; sending it again cannot help.

    Args:
        reason: the counted word.
        detail: what was wrong and where, for a person; never the content of a personal field.
    """

    retryable = False

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
