"""Settings as they stand in the environment or in `.env`: whether a value can be used as it stands there.

Both programs read theirs through here. A refusal is a ValueError whose text says what is wrong and never contains the
value, nor a part of it: it may be a secret, and texts of errors reach CI logs and pull requests.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path
from urllib.parse import urlsplit

MESSAGES = frozenset({"FALLBACK_MESSAGE", "LIMIT_MESSAGE"})
"""Texts for users, which may have several lines."""
STORES = frozenset({"DATABASE_URL", "BOT_STORE_URL"})
SENT_IN_HEADERS = re.compile(r"_(KEY|TOKEN|TOKEN_SECONDARY|SID|URL|FROM)$")
QUOTES = "“”„‘’‚«»"
UNICODE_MARKS = (b"\xff\xfe", b"\xfe\xff")
RESERVED = re.compile(r"[/?#\[\]@\s]")


def checked(name: str, value: str) -> str:
    """A variable's value without the space around it."""
    if name in MESSAGES:
        return value
    value = value.strip()
    if any(mark in value for mark in "\r\n"):
        raise ValueError("contains a line break; set it to one line")
    if value and (value[0] in QUOTES or value[-1] in QUOTES):
        raise ValueError("stands in typographic quotes, which belong to the value; write it in straight ones or none")
    if not value.isprintable():
        raise ValueError("contains a character that cannot be seen, perhaps from copying; type or copy it again")
    if name in STORES:
        if not value.startswith("sqlite:"):
            _check_store(value)
    elif SENT_IN_HEADERS.search(name) and not value.isascii():
        raise ValueError("contains a character outside of ASCII, perhaps from copying; type or copy it again")
    return value


def origin(names: Sequence[str], env_file: Path) -> str | None:
    """Where the first of these variables that is set is set, in words; None when none is."""
    in_file = read_env_file(env_file)
    for name in names:
        if os.environ.get(name):
            return f"{name} in the environment"
        if in_file.get(name):
            return f"{name} in {env_file.absolute()}"
    return None


def read_env_file(path: Path) -> Mapping[str, str]:
    """The variables of an env file; none when there is no such file."""
    if not path.is_file():
        return {}
    from dotenv import dotenv_values  # not needed by a program that is set up by its environment

    return {name: value for name, value in dotenv_values(stream=StringIO(_text(path))).items() if value is not None}


def _text(path: Path) -> str:
    content = path.read_bytes()
    if content.startswith(UNICODE_MARKS) or b"\0" in content:
        raise ValueError(f"{path.name} is saved as UTF-16; save it as UTF-8")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ValueError(f"{path.name}, line {line}: not UTF-8, perhaps Latin-1; save the file as UTF-8") from None


def _check_store(url: str) -> None:
    """A store's address whose user or password would be read as another part of it."""
    user, at, _ = url.partition("://")[2].rpartition("@")
    if at and RESERVED.search(user):
        raise ValueError(
            "has a user or password with one of / ? # [ ] @ or a space; write it percent-encoded (/ is %2F, ? is %3F,"
            " # is %23, [ is %5B, ] is %5D, @ is %40, a space is %20)"
        )
    authority = re.split(r"[/?#]", url.partition("://")[2], maxsplit=1)[0]
    try:
        # PostgreSQL's may name several servers: a standby takes over from the one before it.
        for host in authority.rpartition("@")[2].split(","):
            urlsplit(f"//{host}").port  # noqa: B018 - computed, and refused, here
    except ValueError:
        raise ValueError("has a port or a host that cannot be read; it looks like …@host:5432/name") from None
