"""The peer of ingest in the bench: paho, msgspec and SQLite in forty lines, and nothing that makes it safe."""

from __future__ import annotations

import sqlite3
import sys
import time
from typing import Any

import msgspec

from broker.client import Login, new_client
from broker.contract.messages import Readings
from broker.contract.topics import READINGS, topic


def main(port: int, password: str, path: str) -> None:
    decoder = msgspec.json.Decoder(Readings)
    arrived: list[Any] = []
    client = new_client(Login("127.0.0.1", port, "ingest", password), clean=True, manual_ack=True)
    client.on_message = lambda _client, _userdata, message: arrived.append(message)
    client.connect("127.0.0.1", port)
    client.subscribe(topic("+", "+", READINGS), 1)
    client.loop()
    db = sqlite3.connect(path, isolation_level=None)
    db.executescript(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
        "CREATE TABLE journal (id INTEGER PRIMARY KEY, received_ms INTEGER, topic TEXT, payload BLOB);"
    )
    since = time.monotonic()
    while True:
        client.loop(0.01)
        if not arrived or (len(arrived) < 500 and time.monotonic() - since < 0.02):
            continue
        since = time.monotonic()
        batch, arrived[:] = list(arrived), []
        for message in batch:
            decoder.decode(message.payload)
        db.execute("BEGIN IMMEDIATE")
        rows = [(0, message.topic, message.payload) for message in batch]
        db.executemany("INSERT INTO journal (received_ms, topic, payload) VALUES (?, ?, ?)", rows)
        db.execute("COMMIT")
        for message in batch:
            client.ack(message.mid, message.qos)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3])
