"""What subcommands begin with: settings, errors as sentences, who runs them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from terminal.person import session_address, user_at_host

if TYPE_CHECKING:
    from runtime.settings import Settings
    from runtime.store.audit import Actor


def configured() -> Settings:
    """The settings, after configuring the logs by them, and setting the keys of the store. Raises `SettingsError`."""
    from runtime.observability.logs import configure_logs
    from runtime.settings import read_settings
    from runtime.store.encryption import keyring

    settings = read_settings()
    keyring.use(settings.store_keys)
    configure_logs(settings.log_format, settings.log_level)
    return settings


@contextmanager
def in_sentences() -> Iterator[None]:
    """Turns an error that the user can correct into one sentence on stderr and exit code 1."""
    from runtime.errors import OperatorError
    from runtime.store.errors import StoreError, StoreMissing

    try:
        yield
    except StoreMissing as error:
        raise click.ClickException(f"{error} {_address_of_the_store()}") from error
    except (OperatorError, StoreError) as error:
        raise click.ClickException(str(error)) from error


def _address_of_the_store() -> str:
    """Why a store is looked for there, and what to do."""
    from runtime.settings import ENV_FILE
    from schemas.environment import origin

    set_in = origin(["DATABASE_URL"], ENV_FILE)
    default = f"the default, since DATABASE_URL is set neither in the environment nor in {ENV_FILE.absolute()}"
    return (
        f"The address is {f'that of {set_in}' if set_in else default}. Nothing was created or changed. Run the command "
        "with the settings of the service: in its folder, or with its DATABASE_URL. Only `serve` and `migrate` create "
        "a store."
    )


def actor_name() -> str:
    """The caller's name, as recorded in the audit."""
    return user_at_host()


def actor() -> Actor:
    """Who runs the command, as the audit records it."""
    from runtime.store.audit import Actor

    return Actor(user_at_host(), "cli", session_address())
