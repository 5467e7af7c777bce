"""The relational half of a batch: facts and quarantine, each message once, in one transaction."""

from __future__ import annotations

import contextlib
import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Engine, Table, exc
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from api import db
from api.ingest.outcome import Fact, PutAside
from api.ingest.pipeline import FACTS
from api.spec import Arrival, Handler
from broker.contract.codec import MAX_PAYLOAD
from broker.contract.errors import ContractError, Reason
from broker.contract.ids import MessageId

_LOG = logging.getLogger(__name__)

_AWAY = (exc.OperationalError, exc.InterfaceError, exc.InternalError, exc.ProgrammingError, exc.TimeoutError)
"""Errors of the store, not of the message: unreachable, locked, full, not yet migrated."""


class FactsAway(Exception):
    """The relational store cannot do it now; nothing of the call is stored, and the same call may succeed later."""

    retryable = True


class Facts:
    """Commits what a batch means to the services and to the quarantine."""

    def __init__(self, engine: Engine, handlers: Mapping[str, Sequence[Handler]]) -> None:
        """Commit through `engine`; `handlers` are the services' by kind.

        Raises:
            LookupError: a kind of fact that no service takes; its messages would be lost.
        """
        self._engine = engine
        self._connection: Connection | None = None
        self._handlers = handlers
        missing = [kind.name for kind in FACTS if not handlers.get(kind.name)]
        if missing:
            raise LookupError(f"no service takes {', '.join(missing)}; a file in api/services must")
        insert = insert_for(engine)
        self._inbox = insert(_table(db.Inbox)).on_conflict_do_nothing().execution_options(preserve_rowcount=True)
        self._quarantine = _table(db.Quarantine).insert()
        count = insert(_table(db.QuarantineCount))
        self._count = count.on_conflict_do_update(
            index_elements=["device", "reason"], set_={"total": db.QuarantineCount.total + count.excluded.total}
        )

    def commit(self, facts: Sequence[Fact], aside: Sequence[PutAside]) -> Counter[str]:
        """Give each fact to its services and keep what was put aside; messages that took effect before are passed over.

        Returns:
            How many messages went into the quarantine, by device.

        Raises:
            FactsAway: nothing is stored.
        """
        try:
            try:
                return self._attempt(facts, aside, one_by_one=False)
            except _AWAY:
                raise
            except Exception:  # noqa: BLE001 one of them is poison; find out which
                return self._attempt(facts, aside, one_by_one=True)
        except exc.SQLAlchemyError as error:
            self.close()
            raise FactsAway(str(error).partition("\n")[0]) from error

    def close(self) -> None:
        """Let go of the connection; the next commit opens another."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[Session]:
        """As db.transaction, on a connection that is kept: a press waits a third of a millisecond less."""
        if self._connection is None:
            self._connection = self._engine.connect()
        with self._connection.begin(), Session(self._connection, expire_on_commit=False) as session:
            yield session
            session.flush()

    def _attempt(self, facts: Sequence[Fact], aside: Sequence[PutAside], *, one_by_one: bool) -> Counter[str]:
        with self._transaction() as session:
            new: dict[MessageId, bool] = {}
            refused = list(aside)
            for fact in facts:
                new[fact.identity] = self._first_time(session, fact.identity, fact.kind, fact.source.received_ms)
                if new[fact.identity]:
                    refused.extend(self._handle(session, fact, one_by_one=one_by_one))
            for entry in aside:
                if entry.identity is not None and entry.identity not in new:
                    new[entry.identity] = self._first_time(
                        session, entry.identity, entry.kind, entry.source.received_ms
                    )
            kept = [entry for entry in refused if entry.identity is None or new[entry.identity]]
            self._keep(session, kept)
            return Counter(entry.device for entry in kept)

    def _first_time(self, session: Session, identity: MessageId, kind: str, received_ms: int) -> bool:
        row = {**identity._asdict(), "kind": kind, "received_ms": received_ms}
        return _inserted(session.execute(self._inbox, row))

    def _handle(self, session: Session, fact: Fact, *, one_by_one: bool) -> list[PutAside]:
        arrival = Arrival(fact.site, fact.identity.device, fact.kind, fact.message, fact.source.received_ms)
        if not one_by_one:
            for handler in self._handlers[fact.kind]:
                handler(session, arrival)
            return []
        try:
            with session.begin_nested():
                for handler in self._handlers[fact.kind]:
                    handler(session, arrival)
        except _AWAY:
            raise
        except Exception as error:  # noqa: BLE001 a poison message must not stop the line
            return [_poison(fact, error)]
        return []

    def _keep(self, session: Session, entries: Sequence[PutAside]) -> None:
        if not entries:
            return
        session.execute(self._quarantine, [_row(entry) for entry in entries])
        counts = Counter((entry.device[:48], entry.reason.value) for entry in entries)
        rows = [{"device": device, "reason": reason, "total": total} for (device, reason), total in counts.items()]
        session.execute(self._count, rows)


def insert_for(engine: Engine) -> Any:
    """The INSERT of the engine's dialect, which both have with ON CONFLICT and SQLAlchemy's common one has not."""
    return postgresql.insert if engine.dialect.name == "postgresql" else sqlite.insert


def _table(entity: type[db.Base]) -> Table:
    table = entity.__table__
    if not isinstance(table, Table):
        raise TypeError(f"{entity.__name__} is no table")
    return table


def _inserted(result: Any) -> bool:
    """Whether the row was not there before. Raises TypeError when the driver does not say: a guess would lose it."""
    if result.rowcount not in (0, 1):
        raise TypeError(f"the database counts {result.rowcount} rows where it inserted one or none")
    return bool(result.rowcount)


def _row(entry: PutAside) -> dict[str, Any]:
    """The quarantine row; texts are cut to their columns, and the payload to the largest that is allowed."""
    payload = entry.source.payload
    return {
        "site": entry.site[:48],
        "device": entry.device[:48],
        "topic": entry.source.topic[:200],
        "reason": entry.reason.value,
        "detail": entry.detail.replace("\0", "\\0")[:300],
        "payload": payload[:MAX_PAYLOAD],
        "size": len(payload),
        "received_ms": entry.source.received_ms,
    }


def _poison(fact: Fact, error: Exception) -> PutAside:
    """The entry for a message that a service cannot take.

    An error that is no verdict on the message is a fault of ours: it is logged whole, and the entry names its type
    alone, because its text may hold anything (promise P7).
    """
    if isinstance(error, ContractError):
        reason, detail = error.reason, error.detail
    elif isinstance(error, ValueError):
        reason, detail = Reason.BAD_BODY, f"the service cannot take it: {error}"
    else:
        reason, detail = Reason.BAD_BODY, f"the service failed on it with {type(error).__name__}; the log says where"
        _LOG.error("%s of %s is put aside", fact.kind, fact.identity, exc_info=error)
    return PutAside(fact.place, fact.identity, fact.site, fact.identity.device, fact.kind, reason, detail, fact.source)
