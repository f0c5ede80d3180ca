"""The two ways in which a request to the sandbox can fail.

ProviderRefusal     a provider's own refusal, in the provider's own shape
InputError          invalid input to /_sandbox/; its text is for the caller
"""

from sandbox.storage import Json


class ProviderRefusal(Exception):
    """An answer other than success, as the provider would give it: a JSON `body`, or `text` where that is set."""

    def __init__(self, status: int, body: Json, headers: dict[str, str] | None = None, text: str | None = None) -> None:
        super().__init__(f"{status}: {body}")
        self.status = status
        self.body = body
        self.text = text
        self.headers = headers or {}


class InputError(ValueError):
    """Invalid input to one of the sandbox's own endpoints."""
