"""WhatsApp senders for the numbers in a folder of manifests, so that a sandbox starts as an account does after the
numbers were registered.

It reads `id`, `name`, `number` and the sender's account, and nothing else; a file that it cannot read is reported on
stderr and skipped.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sandbox.state import State
from sandbox.twilio.accounts import Accounts
from sandbox.twilio.addresses import whatsapp_address
from sandbox.twilio.senders import Senders


def register_all(state: State, accounts: Accounts, senders: Senders) -> None:
    """One ONLINE sender for each number of `state.senders_from` that has none yet."""
    if state.senders_from is None:
        return
    for path, document in _documents(state.senders_from):
        number = _number(document.get("number"))
        if number is None:
            sys.stderr.write(f'sandbox: {path}: no number like "+15551234567", so no sender\n')
        elif senders.by_number(number) is None:
            account = _account(state, accounts, document)
            parts = {
                "friendly_name": document.get("id"),
                "profile": {"name": document.get("name") or document.get("id") or path.stem},
            }
            senders.register(account, whatsapp_address(number), parts, "ONLINE")


def _documents(folder: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    for path in sorted(folder.iterdir()):
        if path.suffix not in (".yaml", ".yml") or path.name.startswith("_"):
            continue
        try:
            document = yaml.load(path.read_bytes(), Loader=loader)  # noqa: S506 - both loaders are the safe one
        except (OSError, yaml.YAMLError) as error:
            sys.stderr.write(f"sandbox: {path} cannot be read: {error}\n")
            continue
        if isinstance(document, dict):
            yield path, document


def _number(value: object) -> str | None:
    if isinstance(value, int):
        value = f"+{value}"
    digits = value.removeprefix("+") if isinstance(value, str) else ""
    return f"+{digits}" if digits.isdecimal() else None


def _account(state: State, accounts: Accounts, document: dict[str, Any]) -> str:
    """A client's own account; its token comes from the environment variable that the manifest names."""
    sender = document.get("sender")
    own = sender.get("account") if isinstance(sender, dict) else None
    if not isinstance(own, dict) or not isinstance(own.get("sid"), str):
        return state.credentials.account_sid
    token = own.get("auth_token")
    name = token.get("env") if isinstance(token, dict) else None
    secret = os.environ.get(str(name), state.credentials.auth_token)
    accounts.open(own["sid"], secret, str(document.get("name")), owner=state.credentials.account_sid)
    sid: str = own["sid"]
    return sid
