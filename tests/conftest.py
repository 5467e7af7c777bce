"""Fixtures and settings that hold for every test."""

from __future__ import annotations

from hypothesis import settings

from tests.brokers import broker, engine, shared_broker

__all__ = ["broker", "engine", "shared_broker"]

settings.register_profile("simpul", deadline=None)  # a busy machine is slow now and then, and that is no fault
settings.load_profile("simpul")
