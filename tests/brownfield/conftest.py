"""Fixtures of these tests: the reconciler's, and an agency whose bots were made by hand or are served by a runtime."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.brownfield.by_hand import ByHand
from tests.reconciler.agency import API_TOKEN, Agency
from tests.reconciler.conftest import agency, commands
from tests.runtime_process import Runtime

__all__ = ["agency", "by_hand", "commands"]


@pytest.fixture
def by_hand(agency: Agency) -> ByHand:
    """Nothing was made yet."""
    return ByHand(agency)


@pytest.fixture
def served(agency: Agency, runtime_factory: Callable[..., Runtime]) -> Agency:
    """An agency whose runtime runs: the reconciler reaches the store through it, and senders call it."""
    runtime = runtime_factory(API_TOKEN=API_TOKEN)
    agency.environment |= {"PUBLIC_URL": runtime.url, "BOT_STORE_URL": runtime.url}
    return agency
