"""Cookies of the console. None of them is sent along with another site's link or form."""

from __future__ import annotations

from typing import Final

from aiohttp import web

SESSION: Final = "horizonai_session"
DOOR: Final = "horizonai_door"
"""Of pages without a session: a random value that their forms' token is made from."""
LANGUAGE: Final = "horizonai_language"
LOOPBACK: Final = ("localhost", "127.0.0.1", "[::1]")
YEAR_SECONDS: Final = 365 * 86_400


def is_https(public_url: str | None) -> bool:
    """Whether browsers reach the service by https."""
    return (public_url or "").startswith("https://")


def cookie_of(request: web.Request, name: str, *, is_https: bool) -> str | None:
    """The value of a cookie; None without it."""
    return request.cookies.get(_named(name, is_secure=_is_secure(request, is_https=is_https))) or None


def set_cookie(response: web.StreamResponse, request: web.Request, name: str, value: str, *, is_https: bool) -> None:
    """Sets a cookie; an empty value deletes it. Scripts do not read it."""
    is_secure = _is_secure(request, is_https=is_https)
    lasts = {LANGUAGE: YEAR_SECONDS}.get(name) if value else 0
    response.set_cookie(
        name if name == LANGUAGE else _named(name, is_secure=is_secure),
        value,
        max_age=lasts,
        path="/",
        secure=is_secure,
        httponly=True,
        samesite="Strict",
    )


def _named(name: str, *, is_secure: bool) -> str:
    """With the prefix for which browsers refuse one that another host of the domain sets."""
    return f"__Host-{name}" if is_secure else name


def _is_secure(request: web.Request, *, is_https: bool) -> bool:
    """Whether the browser talks https to us: a proxy does that part, so the address of the service decides, but for a
    page that is opened on this machine."""
    return is_https and request.host.rpartition(":")[0] not in LOOPBACK and request.host not in LOOPBACK
