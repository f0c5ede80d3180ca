"""Passwords by argon2, and codes of the second factor by TOTP (RFC 6238). The libraries are imported with the first
sign-in.

A hash takes 64 MiB and tens of milliseconds of a core on purpose. So at most AT_ONCE are computed side by side, and
a sign-in that finds more than MOST_WAITING before it is refused: sign-ins never take the place of messages.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import cache
from typing import TYPE_CHECKING, Final

from runtime.console.page import Declined
from runtime.console.words import Sentence

if TYPE_CHECKING:
    from argon2 import PasswordHasher

AT_ONCE: Final = 2
MOST_WAITING: Final = 8
LEAST_LENGTH: Final = 12
MOST_LENGTH: Final = 256
STEP_SECONDS: Final = 30
"""Of the second factor: each has a code of its own, and the neighbours' are taken too, for clocks that differ."""
BUSY: Final = Sentence("Hay demasiadas personas entrando a la vez. Prueba de nuevo en unos segundos.")


class Passwords:
    """Hashes passwords, and checks them."""

    def __init__(self) -> None:
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0

    async def hashed(self, password: str) -> str:
        """What is stored of a password. Raises Declined when too many wait."""
        async with self._slot():
            return await asyncio.to_thread(lambda: _hasher().hash(password))

    async def fits(self, stored: str | None, password: str) -> bool:
        """Whether it is the password of a stored hash; None takes as long and never fits. Raises Declined when too many
        wait."""
        async with self._slot():
            right = await asyncio.to_thread(_verify, stored, password)
        return right and stored is not None

    @asynccontextmanager
    async def _slot(self) -> AsyncIterator[None]:
        if self._waiting >= MOST_WAITING:
            raise Declined(503, BUSY)
        self._waiting += 1
        try:
            await self._slots.acquire()
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._slots.release()


@cache
def _hasher() -> PasswordHasher:
    from argon2 import PasswordHasher

    return PasswordHasher()


@cache
def _nobodys() -> str:
    return _hasher().hash("")


def _verify(stored: str | None, password: str) -> bool:
    from argon2.exceptions import InvalidHashError, VerificationError

    try:
        return _hasher().verify(stored or _nobodys(), password)
    except (VerificationError, InvalidHashError):
        return False


def new_secret() -> str:
    """A secret of the second factor, in base 32."""
    import pyotp

    return pyotp.random_base32()


def step_of(secret: str, code: str, clock: Callable[[], float] = time.time) -> int | None:
    """The time step of a code; None for one that is not valid now."""
    import pyotp

    totp, now = pyotp.TOTP(secret), int(clock())
    digits = "".join(code.split())
    for step in (now // STEP_SECONDS + difference for difference in (0, -1, 1)):
        if pyotp.utils.strings_equal(digits, totp.at(step * STEP_SECONDS)):
            return step
    return None


def enrolment(secret: str, email: str) -> str:
    """The address that an authenticator takes the secret from."""
    import pyotp

    return pyotp.TOTP(secret).provisioning_uri(name=email, issuer_name="Horizonai")


def picture_of(address: str) -> str:
    """That address as a picture for a telephone's camera: an SVG without style, which is markup and not escaped."""
    import segno

    return str(segno.make(address, error="m").svg_inline(scale=4, border=2, svgclass="qr", lineclass="qr-line"))


def next_code_seconds(clock: Callable[[], float] = time.time) -> int:
    """In how many seconds the next code is due."""
    return STEP_SECONDS - int(clock()) % STEP_SECONDS
