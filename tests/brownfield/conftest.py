"""Fixtures of these tests: the reconciler's, and an agency whose bots were made by hand."""

from __future__ import annotations

import pytest

from tests.brownfield.by_hand import ByHand
from tests.reconciler.agency import Agency
from tests.reconciler.conftest import agency, commands

__all__ = ["agency", "by_hand", "commands"]


@pytest.fixture
def by_hand(agency: Agency) -> ByHand:
    """Nothing was made yet."""
    return ByHand(agency)
