"""Writes to a server that speaks the Assistants API or the Agents API, through the openai SDK.

An object has its client's marker from the first request on, so that after a create without an answer it is found
instead of created again.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection
from typing import Any, TypeVar

import openai

from reconciler.errors import KeyRefused, NotFound, ProviderError, TemporaryError, UnknownOutcome, error_of_status
from reconciler.intents import Creating
from reconciler.model import Values
from reconciler.ownership import client_of, marked, renamed
from reconciler.settings import Settings
from reconciler.writers.retry import Patience, create_once, repeat_safe
from runtime.store.client.light_http import retry_after

T = TypeVar("T")


class OpenAIWriter:
    """Creates, updates and deletes objects of either API, chosen by the engine. Thread-safe."""

    def __init__(self, settings: Settings, patience: Patience) -> None:
        # The SDK marks these methods as deprecated; that OpenAI switched its own server off is reported when planning.
        warnings.filterwarnings("ignore", message="deprecated$", category=DeprecationWarning)
        self._patience = patience
        self._client = openai.OpenAI(
            api_key=settings.openai_api_key,
            base_url=settings.openai_base_url,
            timeout=settings.timeout,
            max_retries=0,
        )

    def create_object(self, client: str, values: Values, creating: Creating) -> str:
        """Create and return the id; after a create without an answer, an object with this client's marker is used."""
        body = {**_body(values), "metadata": marked({}, client, values)}
        objects = self._objects(values["engine"])
        return create_once(
            creating.noted(lambda: called(lambda: id_of(objects.create(**body))), values["engine"]),
            lambda: self._find(values["engine"], client),
            self._patience,
            lag=self._patience.list_lag,
        )

    def update_object(
        self, live_id: str, client: str, values: Values, before: Values, changed: Collection[str]
    ) -> None:
        """Set the `changed` ones of the values, and our marker; other values, and `before`, are kept."""
        body = {key: value for key, value in _body(values).items() if key in changed}
        if values["engine"] == "agents" and "settings" in changed:
            body["reasoning"] = {**before.get("reasoning", {}), "effort": values["settings"]["reasoning_effort"]}
        body["metadata"] = marked(before.get("metadata", {}), client, values)
        objects = self._objects(values["engine"])
        repeat_safe(lambda: called(lambda: objects.update(live_id, **body)), self._patience)

    def rename_object(self, engine: str, live_id: str, former: str, client: str) -> None:
        """Give an object with the marker of a client's `former` id that of its new one."""
        objects = self._objects(engine)
        metadata = repeat_safe(lambda: called(lambda: objects.retrieve(live_id)), self._patience).metadata or {}
        if client_of(metadata) == former:
            body = {"metadata": renamed(metadata, client)}
            repeat_safe(lambda: called(lambda: objects.update(live_id, **body)), self._patience)

    def delete_object(self, engine: str, live_id: str) -> None:
        """Delete; an object that does not exist is a success."""

        def delete() -> None:
            try:
                called(lambda: self._objects(engine).delete(live_id))
            except NotFound:
                return

        repeat_safe(delete, self._patience)

    @property
    def client(self) -> openai.OpenAI:
        """The client for the writer of documents, which shares this writer's connections."""
        return self._client

    @property
    def patience(self) -> Patience:
        """The account's, shared by all that call it."""
        return self._patience

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _objects(self, engine: str) -> Any:
        """The SDK's resource of an engine; both have the same methods."""
        return self._client.beta.agents if engine == "agents" else self._client.beta.assistants

    def _find(self, engine: str, client: str) -> str | None:
        def find() -> str | None:
            listed = self._objects(engine).list(limit=100)
            return next((id_of(item) for item in listed if client_of(item.metadata or {}) == client), None)

        return repeat_safe(lambda: called(find), self._patience, follows_up=True)


def id_of(answer: Any) -> str:
    """The id in an answer. Raises `TypeError` when there is none: the SDK accepts any JSON as an answer."""
    if not isinstance(answer.id, str):
        raise TypeError("an id was expected")
    return answer.id


def called(call: Callable[[], T]) -> T:
    """The result of a call with the SDK, reading its answer included. Raises a `ProviderError`."""
    try:
        return call()
    except openai.APIConnectionError as error:
        raise UnknownOutcome(f"OpenAI did not answer ({error.__cause__ or error}); run again") from error
    except openai.APIStatusError as error:
        raise _failure(error) from error
    except (openai.APIError, AttributeError, TypeError, ValueError) as error:
        raise UnknownOutcome(f"OpenAI's answer cannot be parsed ({type(error).__name__}); run again") from error


def _failure(error: openai.APIStatusError) -> ProviderError:
    body: Any = error.body
    said = body.get("message") if isinstance(body, dict) else None
    answered = f"OpenAI answered {error.status_code}"
    text = answered + (f": {str(said)[:200]}" if said else "")
    kind = error_of_status(error.status_code)
    if kind is TemporaryError:
        return TemporaryError(text, retry_after(error.response.headers.get("retry-after")))
    if kind is UnknownOutcome:
        return UnknownOutcome(f"{text}; run again when OpenAI works")
    if kind is KeyRefused:
        return KeyRefused(
            f"{answered}; set OPENAI_API_KEY to a key that may change assistants, files and vector stores"
        )
    param = body.get("param") if isinstance(body, dict) and kind is not NotFound else None
    return kind(text + (f" (parameter {param})" if param else ""))


def _body(values: Values) -> dict[str, Any]:
    body = {key: values[key] for key in ("name", "model", "instructions", "tools")}
    if values["engine"] == "agents":
        body["reasoning"] = {"effort": values["settings"]["reasoning_effort"]}
    return body
