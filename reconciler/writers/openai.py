"""Writes to a server that speaks the Assistants API, through the openai SDK.

An assistant carries its client's mark from the first request on, so that a create whose answer was lost is found again
instead of repeated.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import openai

from reconciler.kinds.marker import client_of, marked
from reconciler.model import Values
from reconciler.settings import Settings
from reconciler.writers.attempts import OutcomeUnknown, Patience, Throttled, WriteFailed, create_once, repeat_safe

T = TypeVar("T")


class OpenAIWriter:
    """Creates, updates and deletes assistants. Thread-safe."""

    def __init__(self, settings: Settings, patience: Patience) -> None:
        # The SDK calls these methods deprecated; that OpenAI's own server is gone is said when planning.
        warnings.filterwarnings("ignore", message="deprecated$", category=DeprecationWarning)
        self._patience = patience
        self._client = openai.OpenAI(
            api_key=settings.openai_api_key,
            base_url=settings.openai_base_url,
            timeout=settings.timeout,
            max_retries=0,
        )

    def create_assistant(self, client: str, values: Values) -> str:
        """Create and return the id; an assistant with this client's mark that is already there is taken."""
        body = {**_body(values), "metadata": marked({}, client, values)}
        return create_once(
            lambda: self._call(lambda: self._client.beta.assistants.create(**body)).id,
            lambda: self._find(client),
            self._patience,
        )

    def update_assistant(self, assistant_id: str, client: str, values: Values, metadata: Mapping[str, str]) -> None:
        """Set what is declared; metadata that others wrote is kept."""
        body = {**_body(values), "metadata": marked(metadata, client, values)}
        repeat_safe(
            lambda: self._call(lambda: self._client.beta.assistants.update(assistant_id, **body)), self._patience
        )

    def delete_assistant(self, assistant_id: str) -> None:
        """Delete; an assistant that is already gone is fine."""

        def delete() -> None:
            try:
                self._call(lambda: self._client.beta.assistants.delete(assistant_id))
            except Gone:
                return

        repeat_safe(delete, self._patience)

    def close(self) -> None:
        """Let go of connections."""
        self._client.close()

    def _find(self, client: str) -> str | None:
        def find() -> str | None:
            listed = self._call(lambda: list(self._client.beta.assistants.list(limit=100)))
            return next((item.id for item in listed if client_of(item.metadata or {}) == client), None)

        return repeat_safe(find, self._patience, follows_up=True)

    def _call(self, call: Callable[[], T]) -> T:
        try:
            return call()
        except openai.APIConnectionError as error:
            raise OutcomeUnknown(f"OpenAI did not answer ({error.__cause__ or error}); run again") from error
        except openai.APIStatusError as error:
            raise _failure(error) from error


class Gone(WriteFailed):
    """The object does not exist."""


def _failure(error: openai.APIStatusError) -> WriteFailed:
    body: Any = error.body
    said = body.get("message") if isinstance(body, dict) else None
    text = f"OpenAI answered {error.status_code}" + (f": {str(said)[:200]}" if said else "")
    if error.status_code == 429:
        wait = error.response.headers.get("retry-after")
        return Throttled(text, float(wait) if wait and wait.replace(".", "", 1).isdecimal() else None)
    if error.status_code >= 500:
        return OutcomeUnknown(f"{text}; run again when OpenAI is well")
    if error.status_code == 404:
        return Gone(text)
    if error.status_code in (401, 403):
        return WriteFailed(
            f"OpenAI answered {error.status_code}; set OPENAI_API_KEY to a key that may change assistants"
        )
    param = body.get("param") if isinstance(body, dict) else None
    return WriteFailed(text + (f" (parameter {param})" if param else ""))


def _body(values: Values) -> dict[str, Any]:
    return {key: values[key] for key in ("name", "model", "instructions", "tools")}
