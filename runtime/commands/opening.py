"""What subcommands begin with: settings, errors as sentences, who runs them."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from runtime.settings import Settings


def configured() -> Settings:
    """The settings, after configuring the logs by them. Raises `SettingsError`."""
    from runtime.observability.logs import configure_logs
    from runtime.settings import read_settings

    settings = read_settings()
    configure_logs(settings.log_format, settings.log_level)
    return settings


@contextmanager
def in_sentences() -> Iterator[None]:
    """Turns an error that the user can correct into one sentence on stderr and exit code 1."""
    from runtime.errors import OperatorError
    from runtime.store.errors import StoreError

    try:
        yield
    except (OperatorError, StoreError) as error:
        raise click.ClickException(str(error)) from error


def actor_name() -> str:
    """The caller's name, as recorded in the audit."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"
