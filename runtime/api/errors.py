"""Errors of the API: one shape, `{"error": {"code", "message", "field"?}}`, for every failure."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from math import ceil

import structlog
from aiohttp import web
from aiohttp.typedefs import Middleware

from runtime.store.errors import (
    AssistantInUse,
    AssistantNotFound,
    BotCannotAnswer,
    DeclaredInGit,
    LeaseHeld,
    LeaseLost,
    NumberTaken,
    ObjectNotFound,
    RecordDamaged,
    RunDiffers,
    StoreBusy,
    StoreError,
    StoreOutdated,
    StoreUnreachable,
)

OPEN_PATHS = ("/webhook/", "/media/", "/health", "/ready", "/console")
"""Served without a token: webhooks and addresses of files carry a signature, a load balancer has no token, and the
console has sessions."""

log = structlog.get_logger("runtime.api")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class ApiError(Exception):
    """A refusal: HTTP status, a code for programs, a sentence for people."""

    def __init__(self, status: int, code: str, message: str, *, field: str | None = None, **facts: object) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.field = field
        self.facts = facts

    def response(self) -> web.Response:
        """The error as a response."""
        error: dict[str, object] = {"code": self.code, "message": str(self)}
        if self.field is not None:
            error["field"] = self.field
        headers = {"WWW-Authenticate": "Bearer"} if self.status == 401 else None
        return web.json_response({"error": error | self.facts}, status=self.status, headers=headers)


class TooManyTries(ApiError):
    """The 429 for a caller whose tokens were not valid too often."""

    def __init__(self, seconds: float) -> None:
        super().__init__(
            429,
            "too_many_tries",
            f"Too many calls from this address had no valid token; try again in {ceil(seconds)} seconds.",
        )
        self._seconds = seconds

    def response(self) -> web.Response:
        """The error as a response, with when to try again."""
        response = super().response()
        response.headers["Retry-After"] = str(ceil(self._seconds))
        return response


def not_found(kind: str, object_id: str) -> ApiError:
    """The 404 for an object that does not exist."""
    return ApiError(404, "not_found", f"There is no {kind} {object_id!r}.")


def guard(let_in: Callable[[web.Request], Awaitable[None]]) -> Middleware:
    """The middleware around every handler. It admits authorized callers only and gives every error its shape; an
    unexpected one is logged in full and reported as `internal`."""

    @web.middleware
    async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            if not request.path.startswith(OPEN_PATHS):
                await let_in(request)
            return await handler(request)
        except ApiError as error:
            return error.response()
        except StoreError as error:
            return _from_store(error).response()
        except web.HTTPException as error:
            if error.status < 400:
                raise
            return _from_http(request, error).response()
        except Exception as error:
            if _is_unreadable(error, request):
                return ApiError(400, "unreadable_body", "The body is not encoded as its headers say.").response()
            log.exception("request_failed", method=request.method, path=request.path)
            return ApiError(
                500, "internal", "The request failed because of a bug in this service; it was logged."
            ).response()

    return guarded


def _is_unreadable(error: Exception, request: web.Request) -> bool:
    """Whether the body is at fault: it cannot be decompressed, or its client has left before its end."""
    return isinstance(error, web.RequestPayloadError) or (
        isinstance(error, ConnectionResetError) and request.transport is None
    )


def _from_store(error: StoreError) -> ApiError:
    if isinstance(error, NumberTaken):
        return ApiError(
            409, "number_taken", str(error), field="twilio_phone_number", number=error.number, bot_id=error.bot_id
        )
    if isinstance(error, ObjectNotFound | DeclaredInGit | BotCannotAnswer | AssistantNotFound | AssistantInUse):
        return _from_change(error)
    if isinstance(error, LeaseHeld):
        lease = error.lease
        facts = {"owner": lease.owner, "acquired_at": lease.acquired_at, "expires_at": lease.expires_at}
        return ApiError(409, "lease_held", str(error), **facts)
    if isinstance(error, LeaseLost):
        return ApiError(409, "lease_lost", str(error))
    if isinstance(error, RunDiffers):
        return ApiError(409, "run_differs", str(error), field=error.field)
    if isinstance(error, RecordDamaged):
        log.error("record_damaged", error=str(error))
        return ApiError(500, "record_damaged", str(error))
    if isinstance(error, StoreUnreachable):
        log.error("store_unavailable", error=str(error))
        return ApiError(503, "store_unavailable", "The store cannot be reached; try again later.")
    if isinstance(error, StoreBusy):
        log.warning("store_busy", error=str(error))
        return ApiError(503, "store_busy", "The store is busy; try again.")
    if isinstance(error, StoreOutdated):
        log.error("schema_mismatch", error=str(error))
        message = "The store's schema is not the one that this service needs; run `horizonai-whatsapp-bot migrate`."
        return ApiError(503, "store_outdated", message)
    return ApiError(400, "refused", str(error))


def _from_change(
    error: ObjectNotFound | DeclaredInGit | BotCannotAnswer | AssistantNotFound | AssistantInUse,
) -> ApiError:
    """Why a bot or an assistant cannot be changed so."""
    match error:
        case ObjectNotFound():
            return ApiError(404, "not_found", str(error))
        case DeclaredInGit():
            return ApiError(
                409,
                "managed",
                f"The {error.kind} {error.object_id!r} is declared in {error.manifest}; change it there, or add "
                "?override=true to change it here until the next apply.",
                manifest=error.manifest,
            )
        case BotCannotAnswer():
            return ApiError(400, "missing_field", str(error), field=error.field)
        case AssistantNotFound():
            message = f"assistant_id: there is no assistant {error.assistant_id!r}; see GET /assistants/."
            return ApiError(400, "invalid_field", message, field="assistant_id")
        case AssistantInUse():
            return ApiError(409, "in_use", str(error))


def _from_http(request: web.Request, error: web.HTTPException) -> ApiError:
    if isinstance(error, web.HTTPRequestEntityTooLarge):
        return ApiError(413, "too_large", "The body is larger than 1 MiB.")
    if isinstance(error, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted(error.allowed_methods))
        return ApiError(405, "method_not_allowed", f"{request.path} takes {allowed}, not {request.method}.")
    if isinstance(error, web.HTTPNotFound):
        hint = f" Is it {request.path}/?" if request.path in ("/bots", "/assistants", "/messages") else ""
        return ApiError(404, "not_found", f"There is no {request.path}.{hint}")
    return ApiError(error.status, "refused", error.reason)
