"""The text of Mosquitto's files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from broker import accounts, mosquitto
from broker.accounts import Account
from broker.contract.topics import Role
from broker.listener import Listener

HASH = accounts.hash_password("secret", bytes(12))
LISTED = [
    Account("own", Role.DEVICE, "site-1", "own", HASH),
    Account("buoy", Role.SENSOR, "site-1", "buoy", HASH),
    Account("ingest", Role.INGEST, hash=HASH),
    Account("wall", Role.WATCHER, "site-1", hash=HASH),
    Account("worker", Role.WORKER, hash=HASH),
]
PLAIN = Listener("127.0.0.1", 1883)


def settings(listener: Listener = PLAIN, user: str | None = "simpul") -> list[str]:
    return mosquitto.config_text(listener, Path("/srv/simpul/broker"), user).splitlines()


def test_p6_nobody_comes_in_without_a_password_and_an_account_is_its_client_id() -> None:
    assert "allow_anonymous false" in settings()
    assert "use_username_as_clientid true" in settings()
    assert "password_file /srv/simpul/broker/passwords" in settings()
    assert "acl_file /srv/simpul/broker/acl" in settings()


def test_there_is_one_listener_bound_to_one_address() -> None:
    assert [line for line in settings() if line.startswith(("listener", "port", "bind"))] == ["listener 1883 127.0.0.1"]


def test_small_messages_are_not_held_back_and_every_queue_and_packet_has_an_end() -> None:
    assert "set_tcp_nodelay true" in settings()
    assert "max_inflight_messages 1000" in settings()
    assert "max_packet_size 262144" in settings()
    limits = dict(line.split(" ", 1) for line in settings() if line.startswith("max_queued"))
    assert set(limits) == {"max_queued_messages", "max_queued_bytes"}
    assert all(int(value) > 0 for value in limits.values())


def test_what_it_keeps_is_kept_in_its_own_directory() -> None:
    assert "persistence true" in settings()
    assert "persistence_location /srv/simpul/broker/store/" in settings()
    assert "autosave_interval 60" in settings()
    assert not [line for line in settings() if "/etc/" in line or "/var/lib/" in line or "/run/" in line]


def test_the_user_is_named_so_that_root_does_not_become_one_who_cannot_read_the_files() -> None:
    assert "user simpul" in settings()
    assert not [line for line in settings(user=None) if line.startswith("user")]


def test_a_certificate_makes_the_listener_speak_tls_and_nothing_older_than_1_2() -> None:
    assert not [line for line in settings() if line.startswith(("certfile", "keyfile", "tls"))]
    tls = settings(replace(PLAIN, cert=Path("/srv/cert.pem"), key=Path("/srv/key.pem")))
    assert {"certfile /srv/cert.pem", "keyfile /srv/key.pem", "tls_version tlsv1.2"} <= set(tls)


def test_p6_the_acl_is_the_table_of_kinds_account_by_account() -> None:
    assert (
        mosquitto.acl_text(LISTED)
        == """\
# rendered by `python -m broker`; changes are overwritten

user own
topic write city/site-1/own/up/readings
topic write city/site-1/own/up/press
topic write city/site-1/own/up/status
topic write city/site-1/own/up/heartbeat
topic write city/site-1/own/up/senml
topic read city/site-1/own/down/receipt

user buoy
topic write city/site-1/buoy/up/senml

user ingest
topic read city/+/+/up/readings
topic read city/+/+/up/press
topic read city/+/+/up/status
topic read city/+/+/up/heartbeat
topic read city/+/+/up/senml
topic write city/+/+/down/receipt
topic write city/+/+/state/latest
topic write city/+/+/state/device

user wall
topic read city/site-1/+/state/latest
topic read city/site-1/+/state/device

user worker
"""
    )


def test_the_password_file_holds_hashes_only() -> None:
    assert mosquitto.password_text(LISTED[:2]) == f"own:{HASH}\nbuoy:{HASH}\n"
    assert "secret" not in mosquitto.password_text(LISTED)
