"""Who may do what on the embedded broker: the accounts and the table of kinds, as amqtt asks for them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from amqtt.contexts import Action as Asked
from amqtt.plugins.base import BaseAuthPlugin, BaseTopicPlugin
from amqtt.session import Session

from broker import accounts
from broker.accounts import Account
from broker.contract import access
from broker.contract.access import Action

DENIALS_LOGGED = 1000
"""Different refusals that are logged, each once, so that a broken device cannot fill a log."""

_log = logging.getLogger(__name__)


class Table:
    """The accounts in force and their grants."""

    def __init__(self, listed: Mapping[str, Account]) -> None:
        self._accounts: Mapping[str, Account] = {}
        self._grants: dict[tuple[str, bool], tuple[str, ...]] = {}
        self._denied: set[tuple[str, str, str]] = set()
        self.replace(listed)

    def replace(self, listed: Mapping[str, Account]) -> set[str]:
        """Put other accounts in force; the names of those that were removed or are no longer the same."""
        cut = {name for name, account in self._accounts.items() if listed.get(name) != account}
        self._accounts = dict(listed)
        self._grants = {
            (name, write): tuple(
                grant.filter
                for grant in access.grants(account.role, account.site, account.device)
                if grant.write is write
            )
            for name, account in listed.items()
            for write in (True, False)
        }
        return cut

    def knows(self, name: str | None, password: str | None) -> bool:
        """Whether there is such an account with that password."""
        account = self._accounts.get(name) if name else None
        return account is not None and password is not None and accounts.verify(account.hash, password)

    def may(self, name: str | None, action: Action, topic: str) -> bool:
        """Whether an account may publish to a topic, subscribe to a filter, or receive from a topic; no without one.

        A filter that meets a grant may be subscribed to, as with Mosquitto: every message is asked for again when it is
        due to be received.
        """
        filters = self._grants.get((name, action is Action.PUBLISH), ()) if name else ()
        fits = meets if action is Action.SUBSCRIBE else access.covers
        allowed = any(fits(granted, topic) for granted in filters)
        if not allowed and action is not Action.RECEIVE:
            self._note(str(name), action, topic)
        return allowed

    def _note(self, name: str, action: Action, topic: str) -> None:
        denial = (name, action, topic)
        if denial not in self._denied and len(self._denied) < DENIALS_LOGGED:
            self._denied.add(denial)
            _log.warning("%.64s may not %s %.128r", name, action, topic)


def meets(granted: str, asked: str) -> bool:
    """Whether some topic matches both filters; `granted` holds no `#`."""
    ours, theirs = granted.split("/"), asked.split("/")
    if theirs[-1] == "#":
        theirs = theirs[:-1]
        ours = ours[: len(theirs)] if len(ours) >= len(theirs) else ours
    return len(ours) == len(theirs) and all(
        own == other or "+" in (own, other) for own, other in zip(ours, theirs, strict=True)
    )


class AccessPlugin(BaseAuthPlugin, BaseTopicPlugin):  # type: ignore[misc]  # amqtt is untyped
    """The questions of amqtt, answered from a `Table`; whatever goes wrong in answering is a no."""

    @dataclass
    class Config:
        """What the plugin is configured with."""

        table: Table

    async def authenticate(self, *, session: Session) -> bool:
        """Whether name and password are those of an account, and the client id is its name."""
        try:
            known = self.config.table.knows(session.username, session.password)
        except Exception:  # noqa: BLE001 - it is logged, and the answer is no
            _log.exception("authentication failed and is taken for a no")
            return False
        return bool(known and session.client_id == session.username)

    async def topic_filtering(
        self, *, session: Session | None = None, topic: str | None = None, action: Asked | None = None
    ) -> bool:
        """Whether the session's account may do that with the topic."""
        try:
            if session is None or topic is None or action is None:
                return False
            return bool(self.config.table.may(session.username, Action(action.value), topic))
        except Exception:  # noqa: BLE001 - it is logged, and the answer is no
            _log.exception("a question of access failed and is taken for a no")
            return False
