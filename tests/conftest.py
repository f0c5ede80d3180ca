"""What every test can ask for."""

import gc
import os
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import HealthCheck, settings

from runtime.store.encryption import keyring
from runtime.store_keys import parse_keys

# What is imported and collected stays to the end: looking through it for garbage is a sixth of the time that takes.
gc.disable()

# How long an example takes says how busy the machine is.
settings.register_profile("busy machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy machine")

# Texts are compared in English, whichever language the machine speaks.
os.environ["HORIZONAI_LANG"] = "en"

# `make test-encrypted`: the stores of the suite are encrypted, by its runtimes and in this process.
keyring.use(parse_keys(os.environ.get("TEST_STORE_KEY")))

pytest_plugins = [
    "tests.rerun_hint",
    "tests.interrupts",
    "tests.collected_logs",
    "tests.sandbox_process",
    "tests.runtime_process",
    "tests.bare_server",
    "tests.function_endpoint",
]


def pytest_collection_finish() -> None:
    """From here on there is garbage; the modules and the tests are not looked through any more."""
    gc.freeze()
    gc.enable()


@pytest.fixture(autouse=True)
def _logs_as_before() -> Iterator[None]:
    """A command of the reconciler that runs in this process configures the log of the whole process."""
    yield
    structlog.reset_defaults()
