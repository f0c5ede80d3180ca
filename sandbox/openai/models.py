"""GET /v1/models and /v1/models/{id}: which models there are and until when. A model past its shutdown date is not
found."""

from datetime import UTC, datetime

from aiohttp import web

from sandbox.middleware import answer
from sandbox.openai.wire import error
from sandbox.storage import Json

_SHUTDOWN: dict[str, str | None] = {
    "gpt-6-luna": None,
    "gpt-6-sol": None,
    "gpt-6-astra": None,
    "gpt-6.1-terra": None,
    "gpt-6.1-sol": None,
    "gpt-6.2-astra": None,
    "gpt-6.2-sol": None,
    "gpt-5.6-luna": None,
    "gpt-5.5": None,
    "gpt-5.4": None,
    "gpt-5.4-mini": None,
    "gpt-5.4-nano": "2027-04-01",
    "gpt-5.2": None,
    "gpt-5": "2026-12-11",
    "gpt-5-mini": "2026-12-11",
    "gpt-5-nano": "2026-12-11",
    "o3": "2026-12-11",
    "gpt-4o": None,
    "gpt-4o-mini": "2027-01-14",
    "gpt-4-turbo": "2026-10-23",
    "gpt-transcribe": None,
    "gpt-4o-transcribe": "2027-02-26",
    "whisper-1": "2027-02-26",
    "text-embedding-3-small": None,
}
_FIRST_RELEASE = 1_716_000_000


def _listed(name: str) -> Json:
    created = _FIRST_RELEASE + 86_400 * list(_SHUTDOWN).index(name)
    return {"id": name, "object": "model", "created": created, "owned_by": "system", "shutdown_date": _SHUTDOWN[name]}


def _gone(name: str) -> bool:
    until = _SHUTDOWN[name]
    return until is not None and until <= datetime.now(UTC).date().isoformat()


def require(name: str, *, status: int = 404) -> None:
    """Raises OpenAI's `model_not_found` unless the model can be used today. A request that is made of a model is
    refused with 400, a search for it with 404.
    """
    if name not in _SHUTDOWN and status == 400:
        raise error(400, f"The requested model '{name}' does not exist.", param="model", code="model_not_found")
    if name not in _SHUTDOWN:
        message = f"The model '{name}' does not exist or you do not have access to it."
        raise error(status, message, param="model", code="model_not_found")
    if _gone(name):
        more = "learn more here: https://platform.openai.com/docs/deprecations"
        raise error(status, f"The model `{name}` has been deprecated, {more}", param="model", code="model_not_found")


def reasons(name: str) -> bool:
    """Whether the model is a reasoning model, which takes no temperature."""
    return name.startswith(("gpt-5", "gpt-6", "o3"))


class Models:
    """Handlers of /v1/models."""

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/v1/models", self.list_all), web.get("/v1/models/{model}", self.get)]

    async def list_all(self, _: web.Request) -> web.Response:
        return answer({"object": "list", "data": [_listed(name) for name in _SHUTDOWN if not _gone(name)]})

    async def get(self, request: web.Request) -> web.Response:
        name = request.match_info["model"]
        require(name)
        return answer(_listed(name))
