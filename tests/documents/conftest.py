"""Fixtures of the documents' tests: the reconciler's, and a receiver of notifications."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.documents.receiver import Receiver, receiving
from tests.reconciler.conftest import agency, commands

__all__ = ["agency", "commands", "receiver"]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A server that takes whatever it is sent."""
    with receiving() as running:
        yield running
