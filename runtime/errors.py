"""Two small trees: errors that the operator has to correct, and what a provider's failure means to a turn.

    OperatorError           a setting, an account, a number: the text is for the operator
    ├── SettingsError       runtime.settings
    ├── AccountError        runtime.twilio.accounts
    │   └── FormerAccount
    ├── NoSender            runtime.delivery.proactive
    ├── NotSent             runtime.delivery.delivery
    └── NotSettled          runtime.inbound.restored

ProviderError
├── PermanentError      the same call will fail again: no retry
│   ├── ModelGone       so will every other call of this model
│   ├── KeyRefused      so will every other call with this key, until the account is corrected
│   └── RequestRefused  for what is in the request, such as words that a safety system does not let pass
├── TemporaryError      the call had no effect, retry after `delay` seconds
└── UnknownOutcome      it may have had its effect: check before repeating it
"""

from __future__ import annotations


class OperatorError(Exception):
    """Root of errors that an operator can correct; `str()` of it is a sentence with the next step."""


class ProviderError(Exception):
    """Root; `str()` of it is a sentence for the operator, never for the user."""


class PermanentError(ProviderError):
    """Repeating the call cannot help."""

    def __init__(self, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        """The provider's code of its refusal, where it gave one."""


class ModelGone(PermanentError):
    """The model does not exist, was shut down, or is not for this key."""

    def __init__(self, message: str, model: str | None) -> None:
        super().__init__(message, "model_not_found")
        self.model = model


class KeyRefused(PermanentError):
    """The key is wrong, or its account has no credit left."""


class RequestRefused(PermanentError):
    """The provider refuses the request as it is (400, 413, 422): perhaps for the words in it, old or new."""

    def __init__(self, message: str, *, is_for_words: bool) -> None:
        super().__init__(message)
        self.is_for_words = is_for_words
        """Whether the provider names the words as the reason. Other servers do not tell."""


class TemporaryError(ProviderError):
    """The call had no effect and may be repeated."""

    def __init__(self, message: str, delay: float | None = None) -> None:
        super().__init__(message)
        self.delay = delay
        """Seconds that the provider asked us to wait, when it did."""


class UnknownOutcome(ProviderError):
    """The call may or may not have had its effect."""
