"""Signing in: an address of mail and a password, then a code of the second factor; accepting an invitation; signing
out. What is wrong is never said more exactly than that it does not match."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import structlog
from aiohttp import web

from runtime.console.cookies import SESSION, set_cookie
from runtime.console.page import HOME, OWN, Declined, OpenPage, OperatorPage, OperatorVisit, Visit, redirect
from runtime.console.passwords import (
    LEAST_LENGTH,
    MOST_LENGTH,
    Passwords,
    enrolment,
    next_code_seconds,
    picture_of,
    step_of,
)
from runtime.console.words import Sentence
from runtime.store.console import accounts, failures, sessions, signing_in
from runtime.store.console.accounts import Operator, SignInCredentials
from runtime.store.database.database import Database

SIGN_IN: Final = f"{HOME}/sign-in"
CODE: Final = f"{HOME}/sign-in/code"
INVITATION: Final = f"{HOME}/invitation"
WRONG: Final = Sentence("El correo o la contraseña no coinciden.")
LATE: Final = Sentence("Pasaron más de cinco minutos. Empieza de nuevo con tu correo y tu contraseña.")
NO_INVITATION: Final = Sentence("Esta invitación ya se usó o venció. Quien administra la consola puede enviarte otra.")
TOO_SHORT: Final = Sentence("La contraseña necesita al menos %(least)s caracteres.", {"least": LEAST_LENGTH})
TOO_LONG: Final = Sentence("La contraseña puede tener %(most)s caracteres.", {"most": MOST_LENGTH})
TWO_PASSWORDS: Final = Sentence("Las dos contraseñas son distintas.")
IS_THE_ADDRESS: Final = Sentence("La contraseña no puede ser tu correo.")

log = structlog.get_logger("runtime.console")


class SignInPages:
    """Handlers of signing in and out."""

    def __init__(self, database: Database, *, is_https: bool, timezone: str) -> None:
        self._database = database
        self._is_https = is_https
        self._timezone = timezone
        self._passwords = Passwords()

    def pages(self) -> list[OperatorPage | OpenPage]:
        """The pages served."""
        return [
            OpenPage("GET", SIGN_IN, self.show),
            OpenPage("POST", SIGN_IN, self.check_password),
            OpenPage("GET", CODE, self.show_code),
            OpenPage("POST", CODE, self.check_code),
            OpenPage("GET", f"{INVITATION}/{{invitation}}", self.show_invitation),
            OpenPage("POST", f"{INVITATION}/{{invitation}}", self.accept),
            OperatorPage("POST", f"{HOME}/sign-out", self.sign_out, needs=None),
        ]

    async def show(self, visit: Visit) -> web.StreamResponse:
        """GET /console/sign-in"""
        return self._door(visit, visit.query("next"))

    async def check_password(self, visit: Visit) -> web.StreamResponse:
        """POST /console/sign-in"""
        email, wanted = visit.form.get("email", "").strip().lower(), visit.form.get("next", "")
        locked = await self._database.read(failures.locked_until, email, visit.address)
        if locked is not None:
            return self._door(visit, wanted, self._wait(locked), 429)
        found = await self._database.read(accounts.credentials, email)
        password = visit.form.get("password", "")[: MOST_LENGTH + 1]
        if not await self._passwords.fits(None if found is None else found.password, password) or found is None:
            return await self._failed(visit, email, wanted)
        token = await self._database.write(sessions.begin, found.operator.email, "code", visit.address)
        response = redirect(CODE + (f"?{urlencode({'next': wanted})}" if wanted else ""))
        set_cookie(response, visit.request, SESSION, token, is_https=self._is_https)
        return response

    async def show_code(self, visit: Visit) -> web.StreamResponse:
        """GET /console/sign-in/code"""
        if await self._halfway(visit) is None:
            return redirect(SIGN_IN)
        return visit.page("code.html", wanted=visit.query("next"), problem=None)

    async def check_code(self, visit: Visit) -> web.StreamResponse:
        """POST /console/sign-in/code"""
        wanted = visit.form.get("next", "")
        found = await self._halfway(visit)
        if found is None:
            return self._door(visit, wanted, LATE, 403)
        email = found.operator.email
        locked = await self._database.read(failures.locked_until, email, visit.address)
        if locked is not None:
            return self._door(visit, wanted, self._wait(locked), 429)
        step = step_of(found.totp_secret, visit.form.get("code", ""))
        token = None
        if step is not None:
            token = await self._database.write(signing_in.pass_code, found.operator, step, visit.address, visit.session)
        if token is None:
            await self._database.write(signing_in.fail, email, visit.address)
            return visit.page("code.html", 403, wanted=wanted, problem=_wrong_code())
        log.info("console_signed_in", operator=email, address=visit.address)
        return self._entered(visit, token, wanted if is_for(found.operator, wanted) else "")

    async def show_invitation(self, visit: Visit) -> web.StreamResponse:
        """GET /console/invitation/{invitation}"""
        operator, secret = await self._invited(visit)
        return self._invitation(visit, operator, secret, None)

    async def accept(self, visit: Visit) -> web.StreamResponse:
        """POST /console/invitation/{invitation}"""
        operator, secret = await self._invited(visit)
        password = visit.form.get("password", "")
        problem = _problem(password, visit.form.get("again", ""), operator)
        step = step_of(secret, visit.form.get("code", ""))
        if problem is None and step is None:
            problem = _wrong_code()
        if problem is not None or step is None:
            return self._invitation(visit, operator, secret, problem)
        token = await self._database.write(
            signing_in.accept,
            visit.request.match_info["invitation"],
            operator,
            await self._passwords.hashed(password),
            step,
            visit.address,
        )
        if token is None:
            raise Declined(404, NO_INVITATION)
        log.info("console_invitation_accepted", operator=operator.email, address=visit.address)
        return self._entered(visit, token, "")

    async def sign_out(self, visit: OperatorVisit) -> web.StreamResponse:
        """POST /console/sign-out"""
        if visit.session is not None:
            await self._database.write(signing_in.sign_out, visit.actor, visit.session)
        response = redirect(SIGN_IN)
        set_cookie(response, visit.request, SESSION, "", is_https=self._is_https)
        return response

    async def _failed(self, visit: Visit, email: str, wanted: str) -> web.Response:
        until = await self._database.write(signing_in.fail, email, visit.address)
        log.warning("console_sign_in_failed", address=visit.address, locked_until=until)
        return self._door(visit, wanted, WRONG, 403)

    async def _halfway(self, visit: Visit) -> SignInCredentials | None:
        """Who has given their password, and not yet a code."""
        if visit.session is None:
            return None
        session = await self._database.read(sessions.find, visit.session)
        if session is None or session.step != "code":
            return None
        return await self._database.read(accounts.credentials, session.email)

    async def _invited(self, visit: Visit) -> tuple[Operator, str]:
        """Raises Declined for an invitation that is not valid. Its 256 random bits need no bound on tries."""
        found = await self._database.read(accounts.invited, visit.request.match_info["invitation"])
        if found is None:
            raise Declined(404, NO_INVITATION)
        return found

    def _invitation(self, visit: Visit, operator: Operator, secret: str, problem: Sentence | None) -> web.Response:
        address = enrolment(secret, operator.email)
        return visit.page(
            "invitation.html",
            200 if problem is None else 400,
            invited=operator,
            secret=" ".join(secret[place : place + 4] for place in range(0, len(secret), 4)),
            address=address,
            picture=picture_of(address),
            least=LEAST_LENGTH,
            problem=problem,
        )

    def _door(self, visit: Visit, wanted: str, problem: Sentence | None = None, status: int = 200) -> web.Response:
        email = visit.form.get("email", "")[:254]
        return visit.page("sign_in.html", status, wanted=wanted, problem=problem, email=email)

    def _entered(self, visit: Visit, token: str, wanted: str) -> web.Response:
        response = redirect(wanted if is_ours(wanted) else HOME)
        set_cookie(response, visit.request, SESSION, token, is_https=self._is_https)
        return response

    def _wait(self, until: str) -> Sentence:
        local = datetime.fromisoformat(until).astimezone(ZoneInfo(self._timezone))
        return Sentence("Demasiados intentos. Se puede probar de nuevo a las %(time)s.", {"time": f"{local:%H:%M}"})


def _wrong_code() -> Sentence:
    return Sentence("El código no coincide; el siguiente sale en %(seconds)s s.", {"seconds": next_code_seconds()})


def _problem(password: str, again: str, operator: Operator) -> Sentence | None:
    """Why a password is not taken; None: it is."""
    if len(password) < LEAST_LENGTH:
        return TOO_SHORT
    if len(password) > MOST_LENGTH:
        return TOO_LONG
    if operator.email in password.lower():
        return IS_THE_ADDRESS
    return TWO_PASSWORDS if password != again else None


def is_for(operator: Operator, path: str) -> bool:
    """Whether a path is a page that an account has: a client's has its own pages only."""
    return operator.role != "client" or path.startswith(OWN)


def is_ours(path: str) -> bool:
    """Whether a path is a page of the console, and of no other site."""
    return path == HOME or (path.startswith((f"{HOME}/", f"{HOME}?")) and "\\" not in path)
