"""The two ways in which a request to the sandbox can fail.

ProviderRefusal     a provider's own refusal, in the provider's own shape
InputError          something sent to /_sandbox/ that makes no sense; its text is for whoever sent it
"""

from sandbox.storage import Json


class ProviderRefusal(Exception):
    """An answer other than success, as the provider would give it."""

    def __init__(self, status: int, body: Json, headers: dict[str, str] | None = None) -> None:
        super().__init__(f"{status}: {body}")
        self.status = status
        self.body = body
        self.headers = headers or {}


class InputError(ValueError):
    """What the caller sent to the sandbox's own endpoints cannot be used."""
