"""Settings of the runtime, from the environment or `.env`. They are never printed or logged."""

from __future__ import annotations

import os
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Literal

import structlog
from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from runtime.errors import OperatorError
from runtime.store_keys import StoreKeys, parse_keys
from schemas.credentials import is_installation_credential
from schemas.environment import checked, read_env_file
from schemas.model_overrides import use_models_file
from schemas.overrides import DEFAULT, connection_overrides
from schemas.timezones import is_zone

ENV_FILE = Path(".env")
AUDIT_FLOOR_DAYS = 90
"""As `runtime.store.audit.FLOOR_DAYS`, which imports SQLAlchemy."""

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
    openai_admin_key: SecretStr | None = None
    """Key for administrators of OpenAI's organization: `costs compare` reads its costs with it, nothing else does."""
    openai_base_url: str | None = None
    """Another server that speaks OpenAI's API; the SDK's default without it."""
    model_timeout_seconds: float = Field(default=60, gt=0, le=600)
    """Time limit of one call to the model."""

    models_file: Path | None = None
    """The installation's own word on models, over the table of `schemas.models`."""

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
    manifests_url: str | None = None
    """The folder of manifests on the forge that keeps them, for the console's links."""
    webhook_connection_overrides: str = DEFAULT
    """Connection overrides of status callbacks: the fragment of the URL, "" for none (`off` in the environment)."""
    database_url: str = "sqlite:///data/horizonai.db"
    """The store."""
    database_connections: int = Field(default=8, ge=2, le=64)
    """Connections of a process to PostgreSQL for its store, at most."""
    store_key: SecretStr | None = None
    """Keys that what people and assistants wrote is encrypted with in the store, with commas between them: the first
    for new texts, the others for older ones. `plain` first: new texts are not encrypted."""
    api_token: SecretStr | None = None
    """A token of the management API with the scope `write`, besides those from `token create`."""
    trusted_proxies: str = "127.0.0.0/8 ::1"
    """Addresses and networks of load balancers, with blanks between them: what they report as the caller's address is
    believed (`X-Forwarded-For`), for the audit and for the limit of failed tries."""
    failed_tries: int = Field(default=10, ge=0)
    """Calls without a valid token from one address within a minute; more are refused until it is over; 0: all are
    looked up."""
    audit_days: int = Field(default=0, ge=0, le=36_500)
    """How long the audit is kept, at least 90 days; 0: for ever."""

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
    budget_message: str = Field(
        default=(
            "Por ahora no podemos responder por este medio. Tu mensaje quedó guardado; por favor, contáctanos de otra "
            "forma si es urgente."
        ),
        min_length=1,
        max_length=1024,
    )
    """Message for a user of a client whose budget is used up and pauses it, once a day."""
    alert_notify: SecretStr | None = None
    """Apprise addresses of the agency for warnings, with blanks between them."""
    not_understood_message: str | None = Field(default=None, min_length=1, max_length=1024)
    """Message for a user who sends nothing but files of a kind that is off, unless the client has its own; one for each
    kind without it. Once a minute."""
    media_dir: Path | None = None
    """Folder for fetched files while their turn is answered; below the system's for temporary files without it."""
    opt_out_message: str = Field(
        default=(
            "Listo: no te enviaremos más avisos. Si nos escribes, te respondemos igual; "
            "para volver a recibirlos, escribe ALTA."
        ),
        min_length=1,
        max_length=1024,
    )
    """Confirmation for a user who wrote STOP or BAJA."""
    opt_out_question: str = Field(
        default="¿Quieres dejar de recibir nuestros avisos? Para confirmarlo, escribe BAJA.",
        min_length=1,
        max_length=1024,
    )
    """Question for a user who said so in a voice note, which may have been heard wrong."""
    opt_in_message: str = Field(
        default="Listo: volverás a recibir nuestros avisos. Para dejar de recibirlos, escribe BAJA.",
        min_length=1,
        max_length=1024,
    )
    """Confirmation for a user who wrote START or ALTA after that."""
    campaign_max: int = Field(default=1000, ge=0)
    """Maximum number of people that one client writes to of itself within 24 hours, by campaigns and one by one."""
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

    @field_validator("public_url", "twilio_base_url", "openai_base_url", "manifests_url")
    @classmethod
    def _no_trailing_slash(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("http://", "https://")):
            raise ValueError("must begin with https:// (or http:// on this machine)")
        return None if value is None else value.rstrip("/")

    @field_validator("store_key")
    @classmethod
    def _are_keys(cls, value: SecretStr | None) -> SecretStr | None:
        parse_keys(value.get_secret_value() if value is not None else None)
        return value

    @field_validator("timezone")
    @classmethod
    def _is_zone(cls, value: str) -> str:
        if not is_zone(value):
            raise ValueError("must be a name of the tz database, such as America/Santiago")
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, value: str) -> str:
        networks(value)
        return value

    @field_validator("audit_days")
    @classmethod
    def _is_above_floor(cls, value: int) -> int:
        if 0 < value < AUDIT_FLOOR_DAYS:
            raise ValueError(f"must be 0, for ever, or at least {AUDIT_FLOOR_DAYS}")
        return value

    @property
    def proxies(self) -> Sequence[IPv4Network | IPv6Network]:
        """The networks of `trusted_proxies`."""
        return networks(self.trusted_proxies)

    @field_validator("webhook_connection_overrides")
    @classmethod
    def _as_fragment(cls, value: str) -> str:
        return connection_overrides(value)

    @property
    def store_keys(self) -> StoreKeys | None:
        """The keys of `store_key`; None where it is not set."""
        return parse_keys(self.store_key.get_secret_value() if self.store_key is not None else None)


def networks(text: str) -> Sequence[IPv4Network | IPv6Network]:
    """Addresses and networks with blanks between them; raises ValueError for anything else."""
    return [ip_network(part) for part in text.split()]


def read_settings() -> Settings:
    """The current settings, with the file of models in force; raises SettingsError that names every wrong variable."""
    try:
        read_env_file(ENV_FILE)
        settings = Settings()
        use_models_file(settings.models_file)
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(str(part) for part in problem['loc']).upper()}: {problem['msg'].removeprefix('Value error, ')}"
            for problem in error.errors()
        )
        raise SettingsError(f"Settings are wrong: {wrong}. Correct them in the environment or in .env.") from None
    except ValueError as error:
        raise SettingsError(f"Settings cannot be read: {error}.") from None
    return settings


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
