"""`horizonai-whatsapp-bot store-key`: the keys that texts in the store are encrypted with."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from runtime.commands.opening import configured, in_sentences

if TYPE_CHECKING:
    from runtime.store.encryption.keyring import Keyring


@click.group("store-key")
def store_key() -> None:
    """Keys that what people and assistants wrote is encrypted with: the setting STORE_KEY."""


@store_key.command("new")
def new() -> None:
    """Print a new key. It is stored nowhere: keep a copy where the backups are not."""
    from runtime.store_keys import key_id_of, new_key, parse_keys

    made = new_key()
    click.echo(made)
    keys = parse_keys(made)
    assert keys is not None
    click.echo(f"This is the key {key_id_of(keys.keys[0])}; without it nothing can read what it encrypts.", err=True)


@store_key.command("status")
def status() -> None:
    """Count the texts in the store by the key that they are encrypted with. Reads all of them."""
    from runtime.store.database.once import read_only
    from runtime.store.encryption import keyring
    from runtime.store.encryption.rewriting import count_by_key

    with in_sentences():
        settings = configured()
        with read_only(settings.database_url) as connection:
            counts = count_by_key(connection)
    keys = keyring.current
    for key_id in dict.fromkeys([*(keys.ids if keys is not None else ()), *sorted(filter(None, counts))]):
        click.echo(f"{key_id}\t{counts.get(key_id, 0)}\t{_use(key_id, keys)}")
    is_plain = keys is None or keys.writes_with is None
    click.echo(f"plain\t{counts.get(None, 0)}\t{'new texts' if is_plain else 'old texts'}")


def _use(key_id: str, keys: Keyring | None) -> str:
    if keys is None or key_id not in keys.ids:
        return "not in STORE_KEY"
    return "new texts" if key_id == keys.writes_with else "old texts"


@store_key.command("rewrite")
def rewrite() -> None:
    """Encrypt all texts with the first key of STORE_KEY; with `plain` there, decrypt them. While the service runs, a
    few at a time; it can be interrupted and repeated."""
    from runtime.errors import OperatorError
    from runtime.store.database.once import run_once
    from runtime.store.encryption import keyring, rewriting

    with in_sentences():
        settings = configured()
        keys = keyring.current
        if keys is None:
            raise OperatorError("STORE_KEY is not set; `horizonai-whatsapp-bot store-key new` prints a key for it.")
        rewritten = rewriting.rewrite(settings.database_url, keys, _report)
        retired = run_once(settings.database_url, rewriting.retire, keys)
    aim = f"encrypted with the key {keys.writes_with}" if keys.writes_with is not None else "plain"
    click.echo(f"{rewritten} rows were rewritten; all texts are {aim}.")
    if retired.retired:
        click.echo(f"Nothing needs the key {' or '.join(retired.retired)} any more: take it out of STORE_KEY.")
    if retired.kept:
        click.echo(
            f"A process at work still encrypts with the key {' or '.join(retired.kept)}: restart it with this"
            " STORE_KEY, then repeat this command."
        )
        sys.exit(1)


def _report(table: str, rows: int) -> None:
    if sys.stderr.isatty():
        click.echo(f"\r{table}: {rows} rows", nl=False, err=True)
