"""What stands around every page: who visits, whether they may, and what a browser is allowed to do with the answer.

    off (404) until an operator was invited ─► session ─► role ─► a form: own origin, its token ─► page

A form counts only when the browser says that it comes from this site (Origin or Sec-Fetch-Site) and when it brings back
a token that only a page of the same session has. The session's cookie is SameSite=Strict, so another site's link or
form comes without it. What fails is a page with a sentence; details are in the log.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from hashlib import sha256
from typing import Final
from urllib.parse import urlencode, urlsplit

import structlog
from aiohttp import web

from runtime.console.cookies import DOOR, LANGUAGE, SESSION, cookie_of, is_https, set_cookie
from runtime.console.page import (
    HOME,
    MADE_FROM,
    OWN,
    PERMISSIONS,
    Declined,
    OpenPage,
    OperatorPage,
    OperatorVisit,
    Visit,
    not_here,
    redirect,
)
from runtime.console.page_store import PageStore
from runtime.console.words import LANGUAGES, Sentence
from runtime.store.console import accounts
from runtime.store.console.sessions import note_request
from runtime.store.errors import StoreError
from runtime.text import is_storable
from schemas.money import Language

HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src"
    " 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    # `no-referrer` would make browsers send `Origin: null` with this site's own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
LIVE: Final = "X-Live"
"""A header of requests that a page makes by itself."""
SIGNED_OUT: Final = Sentence("Tu sesión terminó. Entra de nuevo y repite lo último que hiciste.")
FOREIGN_FORM: Final = Sentence(
    "Este formulario no viene de la consola. Vuelve atrás, carga la página de nuevo y repite."
)
NOT_ALLOWED: Final = Sentence("Tu rol no permite esto. Pídelo a quien administra la consola.")
STORE_FAILED: Final = Sentence(
    "No se pudo leer o guardar en este momento. Nada cambió; prueba de nuevo en unos segundos."
)
BUG: Final = Sentence("Algo falló por un error de este programa. Quedó registrado; nada más hay que hacer que avisar.")

log = structlog.get_logger("runtime.console")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class ConsoleSite:
    """The routes of all pages."""

    def __init__(
        self,
        database: PageStore,
        pages: Sequence[OperatorPage | OpenPage],
        address_of: Callable[[web.Request], str | None],
        public_url: str | None,
    ) -> None:
        """`public_url`: where browsers reach the service."""
        self.pages = pages
        self._database = database
        self._address_of = address_of
        self._is_https = is_https(public_url)
        self._public_host = urlsplit(public_url or "").netloc
        self._is_on = False

    def routes(self) -> list[web.RouteDef]:
        """All of them; what is below /console and is not a page is one too."""
        made = [web.route(page.method, page.path, self._handler(page)) for page in self.pages]
        nothing = self._handler(OpenPage("GET", f"{HOME}/{{rest:.*}}", _nothing))
        return [*made, web.route("*", f"{HOME}/{{rest:.*}}", nothing), web.route("*", HOME, nothing)]

    def _handler(self, page: OperatorPage | OpenPage) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            if not await self._on():
                raise web.HTTPNotFound
            language = _language(request)
            try:
                return _with_headers(await respond(request, language))
            except web.HTTPException:
                raise
            except Exception:
                log.exception("console_page_failed", method=request.method, path=request.path)
                return _with_headers(await self._refused(request, language, Declined(500, BUG)))

        async def respond(request: web.Request, language: Language) -> web.StreamResponse:
            try:
                if request.query.get("lang") in LANGUAGES and request.method == "GET":
                    return self._in_language(request)
                return await self._made(await self._answer(page, request, language))
            except Declined as refusal:
                return await self._refused(request, language, refusal)
            except StoreError as error:
                log.error("console_store_failed", path=request.path, error=str(error))
                return await self._refused(request, language, Declined(503, STORE_FAILED))

        return handle

    async def _made(self, response: web.StreamResponse) -> web.StreamResponse:
        """A response with its page. Raises Declined where what it shows is not there."""
        if isinstance(response, web.Response) and (made_from := response.get(MADE_FROM)) is not None:
            text = await self._database.made(made_from)
            if text is None:
                raise not_here()
            response.text = text
        return response

    async def _on(self) -> bool:
        """Whether anyone was ever invited; they are never deleted, so this is asked until it is true."""
        self._is_on = self._is_on or await self._database.read(accounts.any_operator)
        return self._is_on

    async def _answer(
        self, page: OperatorPage | OpenPage, request: web.Request, language: Language
    ) -> web.StreamResponse:
        if not all(is_storable(text) for text in (*request.match_info.values(), *request.query.values())):
            raise not_here()
        token = cookie_of(request, SESSION, is_https=self._is_https)
        if isinstance(page, OpenPage):
            return await self._answer_open(page, request, language, token)
        found = None if token is None else await self._database.read(accounts.visitor, token)
        if token is None or found is None:
            return self._to_sign_in(request)
        operator, session = found
        if operator.role == "client" and page.path == HOME:
            return redirect(OWN)
        if page.needs is not None and page.needs not in PERMISSIONS[operator.role]:
            # What is the agency's does not exist for a client, and the other way round.
            raise not_here() if "own" in (page.needs, *PERMISSIONS[operator.role]) else Declined(403, NOT_ALLOWED)
        form_token = token_of(token)
        visit = OperatorVisit(
            request=request,
            language=language,
            address=self._address_of(request),
            form=await self._form(page, request, form_token),
            form_token=form_token,
            session=token,
            operator=operator,
        )
        if session.is_seen_outdated and page.is_asked_by_person and LIVE not in request.headers:
            await self._database.write_unhurried(note_request, token)
        return await page.act(visit)

    async def _answer_open(
        self, page: OpenPage, request: web.Request, language: Language, token: str | None
    ) -> web.StreamResponse:
        """A page without a session: its forms are bound to a cookie of their own."""
        door = cookie_of(request, DOOR, is_https=self._is_https) or secrets.token_urlsafe(24)
        visit = Visit(
            request=request,
            language=language,
            address=self._address_of(request),
            form=await self._form(page, request, token_of(door)),
            form_token=token_of(door),
            session=token,
        )
        response = await page.act(visit)
        if page.has_forms and request.method == "GET" and not response.prepared:
            set_cookie(response, request, DOOR, door, is_https=self._is_https)
        return response

    async def _form(self, page: OperatorPage | OpenPage, request: web.Request, form_token: str) -> dict[str, str]:
        """A form's fields. Raises Declined for one that is not this site's, or not of this session."""
        if page.method != "POST":
            return {}
        if not is_own(request, self._public_host):
            raise Declined(403, FOREIGN_FORM)
        fields = {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
        given = fields.pop("token", "")
        if not hmac.compare_digest(given.encode(), form_token.encode()):
            raise Declined(403, FOREIGN_FORM)
        if not all(map(is_storable, fields.values())):
            raise Declined(400, FOREIGN_FORM)
        return fields

    def _to_sign_in(self, request: web.Request) -> web.Response:
        if request.method != "GET":
            raise Declined(403, SIGNED_OUT)
        if request.headers.get("Sec-Fetch-Site") == "cross-site":
            # A link of another site comes without the cookie; the same address, asked for by this page, has it.
            return web.Response(
                text='<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0"><title>…</title>',
                content_type="text/html",
            )
        wanted = "" if request.path == HOME else f"?{urlencode({'next': request.path_qs})}"
        return redirect(f"{HOME}/sign-in{wanted}")

    def _in_language(self, request: web.Request) -> web.Response:
        rest = {name: value for name, value in request.query.items() if name != "lang"}
        response = redirect(request.path + (f"?{urlencode(rest)}" if rest else ""))
        set_cookie(response, request, LANGUAGE, request.query["lang"], is_https=self._is_https)
        return response

    async def _refused(self, request: web.Request, language: Language, refusal: Declined) -> web.StreamResponse:
        visit = Visit(request=request, language=language, address=None, form={}, form_token="", session=None)
        page = visit.page("refused.html", refusal.status, http_status=refusal.status, sentence=refusal.sentence)
        return await self._made(page)


def _with_headers(response: web.StreamResponse) -> web.StreamResponse:
    """With the headers of all pages."""
    if not response.prepared:
        for name, value in {"Cache-Control": "no-store", **HEADERS}.items():
            response.headers.setdefault(name, value)
    return response


def is_own(request: web.Request, public_host: str) -> bool:
    """Whether a browser says that a form was sent from a page of this site; one that says nothing is not believed. The
    site is the one that was asked for, or behind a proxy that changes the header Host, that of PUBLIC_URL."""
    origin, site = request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site")
    if origin is None and site is None:
        return False
    return site in (None, "same-origin") and (
        origin is None or urlsplit(origin).netloc in {request.host, public_host} - {""}
    )


def token_of(secret: str) -> str:
    """What forms bring back, made from a secret that is in a cookie only."""
    return hmac.new(secret.encode(), b"form of the console", sha256).hexdigest()


async def _nothing(_visit: Visit) -> web.StreamResponse:
    raise not_here()


def _language(request: web.Request) -> Language:
    chosen = request.cookies.get(LANGUAGE)
    return next((language for language in LANGUAGES if language == chosen), "es")
