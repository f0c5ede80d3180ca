"""Fixtures of the reconciler's tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.reconciler.agency import API_TOKEN, PUBLIC_URL, Agency
from tests.reconciler.kitchen import MENU, WINES, declare
from tests.reconciler.processes import Commands
from tests.sandbox_process import Sandbox


@pytest.fixture(scope="session")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Commands:
    """The worker's way to run `reconcile`."""
    return Commands(tmp_path_factory.mktemp("commands"))


@pytest.fixture
def agency(tmp_path: Path, sandbox: Sandbox, commands: Commands) -> Agency:
    """An installation with no client yet, and a bot store that does not exist yet."""
    (tmp_path / "clients.d").mkdir()
    environment = {
        "PATH": os.environ["PATH"],
        "PUBLIC_URL": PUBLIC_URL,
        "API_TOKEN": API_TOKEN,
        "BOT_STORE_URL": f"sqlite:///{tmp_path}/store.db",
        "OPENAI_LIST_LAG": "0",
        **sandbox.environment(),
    }
    return Agency(tmp_path, sandbox, commands, environment)


@pytest.fixture
def kitchen(agency: Agency) -> Agency:
    """A client whose two documents are applied."""
    agency.document(MENU, "Empanadas a 3500 pesos.")
    agency.document(WINES, "Carmenere a 9900 pesos.")
    declare(agency, MENU, WINES)
    agency.apply()
    return agency
