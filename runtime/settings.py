"""Settings of the runtime, from the environment or `.env`. They are never printed or logged."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import structlog
from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from runtime.errors import OperatorError
from schemas.credentials import is_installation_credential
from schemas.environment import checked, read_env_file
from schemas.overrides import DEFAULT, connection_overrides
from schemas.timezones import is_zone

ENV_FILE = Path(".env")

log = structlog.get_logger("runtime.settings")


class SettingsError(OperatorError):
    """A setting is missing or malformed; the text names it."""


class Settings(BaseSettings):
    """One field for each variable; the variable has the field's name in capitals."""

    model_config = SettingsConfigDict(
        env_file=ENV_FILE,
        env_file_encoding="utf-8-sig",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
    )

    openai_api_key: SecretStr | None = None
    """Key of the model's provider."""
    openai_base_url: str | None = None
    """Another server that speaks OpenAI's API; the SDK's default without it."""
    model_timeout_seconds: float = Field(default=60, gt=0, le=600)
    """Time limit of one call to the model."""

    twilio_account_sid: str | None = None
    """The shared account; a client may name its own."""
    twilio_auth_token: SecretStr | None = None
    """Its auth token: signs webhooks and authenticates calls."""
    twilio_auth_token_secondary: SecretStr | None = None
    """Also accepted on webhooks while the token is being rotated."""
    twilio_webhook_shared_key: SecretStr | None = None
    """Secret of webhooks that Twilio signs with a shared key and HMAC_SHA256."""
    twilio_whatsapp_from: str | None = None
    """Number of proactive messages that name no bot."""
    twilio_base_url: str | None = None
    """When set, every Twilio host is called at this address, path unchanged."""

    public_url: str | None = None
    """The address that Twilio calls; signatures are checked against it. The listening address without it."""
    webhook_connection_overrides: str = DEFAULT
    """Connection overrides of status callbacks: the fragment of the URL, "" for none (`off` in the environment)."""
    database_url: str = "sqlite:///data/horizonai.db"
    """The store."""
    api_token: SecretStr | None = None
    """A token of the management API with the scope `write`, besides those from `token create`."""

    reply_within_seconds: float = Field(default=5, ge=0, le=14)
    """An answer ready by then goes out in the webhook's own response; Twilio hangs up after 15 s."""
    debounce_seconds: float = Field(default=1.5, ge=0, le=10)
    """Messages with a shorter pause between them are answered together; 0: each as soon as it can be."""
    turn_deadline_seconds: float = Field(default=120, gt=0)
    """A turn that has not succeeded by then gets the fallback message; time without a serving process is not
    counted."""
    breaker_seconds: float = Field(default=15, gt=0)
    """Interval of the probes while a circuit breaker is open."""
    fallback_message: str = Field(
        default="Tuvimos un problema técnico y no pudimos responder. Por favor, escríbenos de nuevo en unos minutos.",
        min_length=1,
        max_length=1600,
    )
    """Fallback message for a user when no answer could be made, unless the client has its own."""
    rate_per_user: int = Field(default=30, ge=0)
    """Maximum number of messages of one user to one bot within a minute that are answered; 0: all."""
    rate_per_client: int = Field(default=4800, ge=0)
    """The same for all users of one bot. A number can send 80 messages a second, which is 4,800 a minute."""
    limit_message: str = Field(
        default="Recibimos muchos mensajes seguidos. Por favor, espera un minuto y escríbenos de nuevo.",
        min_length=1,
        max_length=1600,
    )
    """Message for a user over the limit, once a minute."""
    not_understood_message: str = Field(
        default=(
            "Por ahora no puedo escuchar audios ni ver fotos u otros archivos. ¿Me lo escribes en un mensaje de texto, "
            "por favor?"
        ),
        min_length=1,
        max_length=1024,
    )
    """Message for a user who sends files without a word, unless the client has its own; once a minute."""
    opt_out_message: str = Field(
        default=(
            "Listo: no te enviaremos más avisos. Si nos escribes, te respondemos igual; "
            "para volver a recibirlos, escribe ALTA."
        ),
        min_length=1,
        max_length=1024,
    )
    """Confirmation for a user who wrote STOP or BAJA."""
    opt_in_message: str = Field(
        default="Listo: volverás a recibir nuestros avisos. Para dejar de recibirlos, escribe BAJA.",
        min_length=1,
        max_length=1024,
    )
    """Confirmation for a user who wrote START or ALTA after that."""
    sweep_seconds: float = Field(default=300, ge=0)
    """Interval at which Twilio is asked for messages whose webhook did not arrive; 0: never."""
    sweep_window_minutes: float = Field(default=60, gt=0, le=1440)
    """Maximum age of a missed message that is answered after a start."""
    memory_items: int = Field(default=60, ge=1, le=1000)
    """Maximum number of a conversation's items that are sent with a message."""
    memory_tokens: int = Field(default=16_000, ge=100)
    """Their maximum estimated size."""
    timezone: str = "America/Santiago"
    """Time zone of a client whose manifest names none and whose number's country has several."""
    allow_private_endpoints: bool = False
    """Allows function tools to call plain http and addresses of this machine or network."""
    stop_grace_seconds: float = Field(default=20, ge=0)
    """How long a stop waits for running turns."""

    log_format: Literal["auto", "json", "text"] = "auto"
    """`auto`: text on a terminal, JSON elsewhere."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @field_validator("*", mode="before")
    @classmethod
    def _usable(cls, value: object, info: ValidationInfo) -> object:
        return checked(str(info.field_name).upper(), value) if isinstance(value, str) else value

    @field_validator("public_url", "twilio_base_url", "openai_base_url")
    @classmethod
    def _no_trailing_slash(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("http://", "https://")):
            raise ValueError("must begin with https:// (or http:// on this machine)")
        return None if value is None else value.rstrip("/")

    @field_validator("timezone")
    @classmethod
    def _is_zone(cls, value: str) -> str:
        if not is_zone(value):
            raise ValueError("must be a name of the tz database, such as America/Santiago")
        return value

    @field_validator("webhook_connection_overrides")
    @classmethod
    def _as_fragment(cls, value: str) -> str:
        return connection_overrides(value)


def read_settings() -> Settings:
    """The current settings; raises SettingsError that names every wrong variable."""
    try:
        read_env_file(ENV_FILE)
        return Settings()
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(str(part) for part in problem['loc']).upper()}: {problem['msg'].removeprefix('Value error, ')}"
            for problem in error.errors()
        )
        raise SettingsError(f"Settings are wrong: {wrong}. Correct them in the environment or in .env.") from None
    except ValueError as error:
        raise SettingsError(f"Settings cannot be read: {error}.") from None


class Secrets:
    """Secrets that bots name by environment variable, looked up when they are needed."""

    def __init__(self, env_file: Path = ENV_FILE) -> None:
        self._file = read_env_file(env_file)

    def get(self, name: str) -> str | None:
        """The value of a variable, from the environment first; None when it is unset or empty, cannot be used as it
        stands there, which the log says then, or is a credential of the installation: a bot that names one was stored
        by a release that did not refuse it."""
        if is_installation_credential(name):
            return None
        value = os.environ.get(name) or self._file.get(name)
        if not value:
            return None
        try:
            return checked(name, value) or None
        except ValueError as error:
            log.error("setting_malformed", setting=name, problem=str(error))
            return None
