"""Spellings that several rooms share: a WhatsApp address, a store's address, what a bot is called."""

import pytest

from runtime.store.database.url import is_api, is_postgresql, is_sqlite, sqlite_path
from runtime.store.records import BotRecord
from schemas.addresses import number_of, whatsapp_address


@pytest.mark.parametrize(
    ("given", "address", "number"),
    [
        ("+56912345678", "whatsapp:+56912345678", "+56912345678"),
        ("whatsapp:+56912345678", "whatsapp:+56912345678", "+56912345678"),
        ("CL.1A2B3C", "whatsapp:CL.1A2B3C", "CL.1A2B3C"),
        ("whatsapp:CL.1A2B3C", "whatsapp:CL.1A2B3C", "CL.1A2B3C"),
        ("", "whatsapp:", ""),
        ("+1whatsapp:", "whatsapp:+1whatsapp:", "+1whatsapp:"),
    ],
)
def test_a_number_and_its_address(given: str, address: str, number: str) -> None:
    assert (whatsapp_address(given), number_of(given)) == (address, number)


@pytest.mark.parametrize(
    ("url", "kinds"),
    [
        ("sqlite:///data/horizonai.db", (True, False, False)),
        ("sqlite:////var/lib/horizonai.db", (True, False, False)),
        ("sqlite://data.db", (False, False, False)),
        ("postgresql://bot@db/bots", (False, True, False)),
        ("postgres://bot@db/bots", (False, True, False)),
        ("https://whatsapp.example.cl", (False, False, True)),
        ("http://127.0.0.1:8080", (False, False, True)),
        ("mysql://bot@db/bots", (False, False, False)),
    ],
)
def test_the_kind_of_a_store(url: str, kinds: tuple[bool, bool, bool]) -> None:
    assert (is_sqlite(url), is_postgresql(url), is_api(url)) == kinds


@pytest.mark.parametrize(
    ("url", "path"), [("sqlite:///data/bot.db", "data/bot.db"), ("sqlite:////srv/bot.db", "/srv/bot.db")]
)
def test_the_file_of_a_store(url: str, path: str) -> None:
    assert str(sqlite_path(url)) == path


@pytest.mark.parametrize(("client", "label"), [("la-cocina", "la-cocina"), (None, "bot_1"), ("", "bot_1")])
def test_a_bot_is_called_by_its_client_or_by_its_id(client: str | None, label: str) -> None:
    assert BotRecord(id="bot_1", name="Bot", twilio_phone_number="+15550000001", client=client).label == label
