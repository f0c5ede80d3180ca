"""The reconciler's settings: environment first, then `.env` beside `clients.d`.

Read once at the start of a command. Values stay text (a number is never turned into an integer), and no secret is part
of a `repr`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from reconciler.errors import InvalidSetting
from schemas.credentials import INSTALLATION_CREDENTIALS
from schemas.environment import checked, origin, read_env_file
from schemas.model_overrides import models_file, use_models_file
from schemas.overrides import DEFAULT, connection_overrides

SHORTEST_SECRET = 12
"""Number of characters from which on a credential is looked for in manifests; a shorter one may be a word."""
DEFAULT_STORE = "sqlite:///data/horizonai.db"


_ON, _OFF = ("true", "1", "yes", "on", "t", "y"), ("false", "0", "no", "off", "f", "n")


@dataclass(frozen=True, slots=True)
class Settings:
    """Where the providers and the store are, and the rate limits of calls to them."""

    clients_dir: Path
    openai_api_key: str | None = field(repr=False)
    openai_base_url: str
    twilio_account_sid: str | None
    twilio_base_url: str | None
    """When set, every Twilio host is called at this address, path unchanged."""
    public_url: str | None
    """The address that Twilio calls, without a trailing slash."""
    fallback_url: str | None
    """A second public address of the runtime, for Twilio's fallback; `public_url` without it."""
    connection_overrides: str
    """Connection overrides of webhooks: the fragment of their URLs, "" for none."""
    bot_store_url: str = field(repr=False)
    api_token: str | None = field(repr=False)
    environment: Mapping[str, str] = field(repr=False)
    """All variables, for secrets by reference."""
    openai_concurrency: int = 4
    """Maximum number of concurrent calls; more only cause 429s."""
    twilio_concurrency: int = 10
    openai_list_lag: float = 30.0
    """Seconds that lists may lag behind a create: as long, an object is searched for whose create was not answered."""
    openai_rate: float = 5.0
    """Writes a second; the Assistants API accepts 300 a minute."""
    twilio_rate: float = 50.0
    """Writes a second to one account."""
    timeout: float = 30.0
    """Time limit of one call, in seconds."""
    allow_private_endpoints: bool = False
    """Whether functions may be at http and at private addresses: the runtime's setting, which manifests are checked
    against."""
    tariffs_file: Path | None = None
    """Where the tariffs are; without it, in `tariffs.yaml` beside `clients_dir`, if there."""
    drift_notify: Sequence[str] = field(default=(), repr=False)
    """Addresses that `reconcile drift` notifies, as Apprise writes them; they hold secrets."""

    @property
    def store_origin(self) -> str:
        """How the bot store's address was decided, in words."""
        set_in = origin(("BOT_STORE_URL", "DATABASE_URL"), Path(".env"))
        return set_in or f"the default, in the folder {Path.cwd()}"

    def secret(self, name: str) -> str | None:
        """The secret in the environment variable `name`, such as TWILIO_AUTH_TOKEN; None when it is not set. Raises
        `InvalidSetting` for one that cannot be used as it stands there."""
        return _checked(name, self.environment)

    @property
    def own_secrets(self) -> dict[str, str]:
        """Values that no manifest and no prompt may hold, each with the name of its variable: the installation's
        credentials, of an address its password."""
        values = {name: self.environment.get(name, "").strip() for name in sorted(INSTALLATION_CREDENTIALS)}
        for variable in ("BOT_STORE_URL", "DATABASE_URL"):
            values[variable] = _password(values[variable])
        return {value: variable for variable, value in values.items() if len(value) >= SHORTEST_SECRET}


def _password(address: str) -> str:
    """The password in an address, as it is written there; empty where there is none."""
    return address.partition("://")[2].rpartition("@")[0].partition(":")[2]


def load_settings(root: Path = Path()) -> Settings:
    """Read the settings, and the file of models, which is in force from then on. Raises `InvalidSetting` for a
    malformed one; a missing one is reported where it is needed."""
    try:
        environment = {**read_env_file(root / ".env"), **os.environ}
    except ValueError as error:
        raise InvalidSetting(f"{error}.") from None
    # Read by reference only, and in every command.
    _checked("TWILIO_AUTH_TOKEN", environment)

    def text(name: str) -> str | None:
        return _checked(name, environment)

    clients_dir = Path(text("CLIENTS_DIR") or root / "clients.d")
    try:
        use_models_file(models_file(clients_dir, Path(models) if (models := text("MODELS_FILE")) else None))
    except ValueError as error:
        raise InvalidSetting(f"{error}.") from None
    return Settings(
        clients_dir=clients_dir,
        openai_api_key=text("OPENAI_API_KEY"),
        openai_base_url=_url("OPENAI_BASE_URL", text("OPENAI_BASE_URL")) or "https://api.openai.com/v1",
        twilio_account_sid=text("TWILIO_ACCOUNT_SID"),
        twilio_base_url=_url("TWILIO_BASE_URL", text("TWILIO_BASE_URL")),
        public_url=_url("PUBLIC_URL", text("PUBLIC_URL")),
        fallback_url=_url("FALLBACK_URL", text("FALLBACK_URL")),
        connection_overrides=_overrides(text("WEBHOOK_CONNECTION_OVERRIDES")),
        bot_store_url=text("BOT_STORE_URL") or text("DATABASE_URL") or DEFAULT_STORE,
        api_token=text("API_TOKEN"),
        allow_private_endpoints=_flag("ALLOW_PRIVATE_ENDPOINTS", text("ALLOW_PRIVATE_ENDPOINTS")),
        tariffs_file=Path(tariffs) if (tariffs := text("TARIFFS_FILE")) else None,
        drift_notify=(text("DRIFT_NOTIFY") or "").split(),
        environment=environment,
        openai_concurrency=_count("OPENAI_CONCURRENCY", text("OPENAI_CONCURRENCY"), 4),
        twilio_concurrency=_count("TWILIO_CONCURRENCY", text("TWILIO_CONCURRENCY"), 10),
        openai_list_lag=_count("OPENAI_LIST_LAG", text("OPENAI_LIST_LAG"), 30, least=0),
        openai_rate=_count("OPENAI_RATE", text("OPENAI_RATE"), 5),
        twilio_rate=_count("TWILIO_RATE", text("TWILIO_RATE"), 50),
    )


def _checked(name: str, environment: Mapping[str, str]) -> str | None:
    try:
        return checked(name, environment.get(name, "")) or None
    except ValueError as error:
        raise InvalidSetting(f"{name} {error}.") from None


def _url(name: str, value: str | None) -> str | None:
    if value is None:
        return None
    try:
        parts = urlsplit(value)
        is_whole = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # a port that is not a number, a bracket that is not closed
        is_whole = False
    if not is_whole or parts.query or parts.fragment:
        raise InvalidSetting(f"{name} must be a URL like https://whatsapp.example.cl, without query or fragment.")
    return value.rstrip("/")


def _overrides(value: str | None) -> str:
    try:
        return connection_overrides(value or DEFAULT)
    except ValueError as error:
        raise InvalidSetting(f"WEBHOOK_CONNECTION_OVERRIDES {error}.") from error


def _count(name: str, value: str | None, default: int, least: int = 1) -> int:
    if value is None:
        return default
    if not value.isdecimal() or int(value) < least:
        raise InvalidSetting(f"{name} must be a whole number of at least {least}, not {value!r}.")
    return int(value)


def _flag(name: str, value: str | None) -> bool:
    """A switch, in the spellings that the runtime's settings know."""
    said = (value or "false").lower()
    if said not in (*_ON, *_OFF):
        raise InvalidSetting(f"{name} must be true or false, not {value!r}.")
    return said in _ON
