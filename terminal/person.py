"""Who runs a command, and from where."""

from __future__ import annotations

import getpass
import os
import socket


def user_at_host() -> str:
    """The user of the operating system and this machine, such as `ana@servidor`."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


def session_address() -> str | None:
    """The address that the session came from, where it is one of SSH's; None on the machine itself."""
    given = (os.environ.get("SSH_CONNECTION") or "").split()
    return given[0] if given else None
