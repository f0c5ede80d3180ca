"""The installation's own credentials, which no client may name as its secret.

A secret by reference is read where it is used, and its value leaves from there: it signs the calls of a client's
function, or is sent to an account. One line in a manifest would send the key of the whole installation on that way.
"""

from __future__ import annotations

from typing import Final

INSTALLATION_CREDENTIALS: Final = frozenset(
    {
        "OPENAI_API_KEY",
        "OPENAI_ADMIN_KEY",
        "TWILIO_AUTH_TOKEN",
        "TWILIO_AUTH_TOKEN_SECONDARY",
        "TWILIO_WEBHOOK_SHARED_KEY",
        "ALERT_NOTIFY",
        "API_TOKEN",
        "API_TOKEN_READ",
        "API_TOKEN_WRITE",
        "BOT_STORE_URL",
        "DATABASE_URL",
        "DRIFT_NOTIFY",
        "GH_TOKEN",
        "GITHUB_TOKEN",
        "OTEL_EXPORTER_OTLP_HEADERS",
        "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
        "POSTGRES_PASSWORD",
        "STORE_KEY",
        "PGPASSWORD",
    }
)
"""Variables that hold a secret of either program, of its store, its pipeline or its exporter."""


def is_installation_credential(variable: str) -> bool:
    """Whether an environment variable holds a credential of the installation."""
    return variable in INSTALLATION_CREDENTIALS
