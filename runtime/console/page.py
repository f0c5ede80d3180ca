"""A page as data: its method, path, handler, and the permission that it needs. Routes, and the test that no page shows
another client's, are both made from it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from aiohttp import web

from runtime.console.words import Sentence
from runtime.store.audit import Actor
from runtime.store.console.accounts import Operator, Role
from schemas.money import Language

Permission = Literal["read", "answer", "privacy", "audit", "tokens", "links", "own"]
PERMISSIONS: Final[Mapping[Role, Sequence[Permission]]] = {
    "viewer": ("read",),
    "operator": ("read", "answer"),
    "privacy": ("read", "privacy", "audit"),
    "admin": ("read", "answer", "privacy", "audit", "tokens", "links"),
    "client": ("own",),
}
HOME: Final = "/console"
OWN: Final = f"{HOME}/own"
"""The first page of an account of a client itself."""
NOTHING_HERE: Final = Sentence("No existe, o no es de tus clientes.")


@dataclass(frozen=True, slots=True)
class PageRead:
    """What is read for a page where it is made. Both are functions of modules, or `partial`s of such."""

    operation: Callable[..., Any]
    """Over a connection. None: there is no such page."""
    shape: Callable[[Any], Mapping[str, Any]]
    """What was read → values of the template."""


@dataclass(frozen=True, slots=True)
class MadeFrom:
    """What a page is made from."""

    template: str
    language: Language
    values: Mapping[str, Any]
    read: PageRead | None = None
    """What adds to the values."""


MADE_FROM: Final = web.ResponseKey("made_from", MadeFrom)
"""What the page of a response is made from, once its handler is done."""


class Declined(Exception):
    """A request that is not carried out: an HTTP status, and a sentence for the person."""

    def __init__(self, status: int, sentence: Sentence) -> None:
        super().__init__(sentence.text)
        self.status = status
        self.sentence = sentence


def not_here() -> Declined:
    """The same for what does not exist and for what the operator may not see."""
    return Declined(404, NOTHING_HERE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A request to a page."""

    request: web.Request
    language: Language
    address: str | None
    """Where it came from."""
    form: Mapping[str, str]
    """Its fields; {} without a form."""
    form_token: str
    """What the page's forms must bring back."""
    session: str | None
    """The session's token, where the cookie has one."""

    def context(self) -> dict[str, Any]:
        """What every template is given."""
        return {"here": self.request.path, "form_token": self.form_token, "operator": None, "may": ()}

    def page(self, template: str, status: int = 200, *, read: PageRead | None = None, **values: Any) -> web.Response:
        """A page that is made from a template, once its handler is done."""
        response = web.Response(status=status, content_type="text/html", charset="utf-8")
        response[MADE_FROM] = MadeFrom(template, self.language, self.context() | values, read)
        return response

    def query(self, name: str) -> str:
        """A parameter of the address; "" without it."""
        return self.request.query.get(name, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorVisit(Visit):
    """A request of an operator who has signed in."""

    operator: Operator

    def context(self) -> dict[str, Any]:
        """What every template is given."""
        return {
            "here": self.request.path,
            "form_token": self.form_token,
            "operator": self.operator,
            "may": PERMISSIONS[self.operator.role],
        }

    @property
    def actor(self) -> Actor:
        """As the audit records them."""
        return Actor(self.operator.email, "console", self.address)

    @property
    def clients(self) -> Sequence[str] | None:
        """The only clients that they see; None: all."""
        return self.operator.clients

    def may(self, permission: Permission) -> bool:
        """Whether their role allows something."""
        return permission in PERMISSIONS[self.operator.role]


@dataclass(frozen=True, slots=True)
class OperatorPage:
    """A page for operators."""

    method: Literal["GET", "POST"]
    path: str
    act: Callable[[OperatorVisit], Awaitable[web.StreamResponse]]
    needs: Permission | None = "read"
    """None: any account that has signed in."""
    is_asked_by_person: bool = True
    """Whether a request shows that someone is there: a session ends some time after the last one."""


@dataclass(frozen=True, slots=True)
class OpenPage:
    """A page for anyone, such as signing in."""

    method: Literal["GET", "POST"]
    path: str
    act: Callable[[Visit], Awaitable[web.StreamResponse]]
    has_forms: bool = True


def redirect(path: str) -> web.Response:
    """Has the browser get another page."""
    return web.Response(status=303, headers={"Location": path})
