"""The phone at the terminal: it sends files, taps, places and reactions, and shows what can be tapped."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
from twilio.rest import Client

from tests import media_files
from tests.sandbox.conftest import NUMBER, USER, Webhook, twiml
from tests.sandbox.test_contents import LIST, QUESTION
from tests.sandbox.test_processes import phone, refused
from tests.sandbox_process import Sandbox

FROM, TO = f"whatsapp:{NUMBER}", f"whatsapp:{USER}"


@pytest.fixture(autouse=True)
def answering(sender: Any, webhook: Webhook) -> None:
    webhook.answer("/whatsapp", twiml("Recibido."))


def sent(sandbox: Sandbox, webhook: Webhook, *words: str) -> dict[str, str]:
    """The parameters of the webhook for what the phone sends."""
    outcome = phone(sandbox.twilio_url, "la-cocina", *words)
    assert (outcome.returncode, outcome.stdout.strip()) == (0, "Recibido."), outcome.stderr
    return next(one.form for one in iter(webhook.next, None) if one.path == "/whatsapp")


def content(sandbox: Sandbox, types: dict[str, Any]) -> str:
    """The sid of a new content."""
    account = sandbox.account_sid, sandbox.auth_token
    document = {"language": "es", "types": types}
    made = requests.post(f"{sandbox.twilio_url}/v1/Content", json=document, auth=account, timeout=10)
    return str(made.json()["sid"])


def show(sandbox: Sandbox, twilio: Client, types: dict[str, Any], **variables: str) -> str:
    """Sends a content to the user, and gives the message's sid."""
    sandbox.inbound(NUMBER, "hola", USER, wait=5, settle=0)
    sid = content(sandbox, types)
    values = json.dumps({name.removeprefix("v"): value for name, value in variables.items()})
    message = twilio.messages.create(to=TO, from_=FROM, content_sid=sid, content_variables=values)
    return str(message.sid)


@pytest.mark.parametrize(
    ("option", "name", "made", "content_type", "kind"),
    [
        ("--voice", "nota.ogg", media_files.voice_note("hola"), "audio/ogg", "audio"),
        ("--image", "foto.jpg", media_files.jpeg(), "image/jpeg", "image"),
        ("--image", "sticker.webp", media_files.webp(), "image/webp", "sticker"),
        ("--document", "pedido.pdf", media_files.pdf(), "application/pdf", "document"),
        ("--document", "ana.vcf", media_files.vcard(), "text/vcard", "contacts"),
    ],
)
def test_a_file_is_sent_with_its_type(
    sandbox: Sandbox,
    webhook: Webhook,
    tmp_path: Path,
    option: str,
    name: str,
    made: bytes,
    content_type: str,
    kind: str,
) -> None:
    (tmp_path / name).write_bytes(made)
    form = sent(sandbox, webhook, "mira", option, str(tmp_path / name))
    assert (form["MediaContentType0"], form["MessageType"], form["Body"]) == (content_type, kind, "mira")
    account = sandbox.account_sid, sandbox.auth_token
    assert requests.get(form["MediaUrl0"], auth=account, timeout=10).content == made


@pytest.mark.parametrize("tap", ["1", "Sí, confirmo", "sí, CONFIRMO"])
def test_a_button_is_tapped_by_its_number_or_its_title(
    sandbox: Sandbox, webhook: Webhook, twilio: Client, tap: str
) -> None:
    question = show(sandbox, twilio, QUESTION, v1="¿Confirma?", v2="Sí, confirmo", v3="confirm_123")
    webhook.next()
    form = sent(sandbox, webhook, "--button", tap)
    assert (form["ButtonText"], form["ButtonPayload"]) == ("Sí, confirmo", "confirm_123")
    assert (form["OriginalRepliedMessageSid"], form["MessageType"]) == (question, "interactive")


def test_a_row_is_chosen_by_its_number(sandbox: Sandbox, webhook: Webhook, twilio: Client) -> None:
    show(sandbox, twilio, LIST, v1="6.900")
    webhook.next()
    form = sent(sandbox, webhook, "--list", "2")
    assert (form["ListId"], form["ListTitle"], form["Body"]) == ("pastel", "Pastel", "Pastel")


def test_what_cannot_be_tapped_is_said(sandbox: Sandbox, twilio: Client) -> None:
    assert "has sent no buttons" in refused(phone(sandbox.twilio_url, "la-cocina", "--button", "1"))
    show(sandbox, twilio, LIST, v1="6.900")
    assert "there is no '3' to tap, but: 1 Cazuela, 2 Pastel" in refused(
        phone(sandbox.twilio_url, "la-cocina", "--list", "3")
    )


def test_a_place_is_sent_with_its_label(sandbox: Sandbox, webhook: Webhook) -> None:
    form = sent(sandbox, webhook, "--location", "-33.4372,-70.6506,La Cocina, Santiago")
    assert (form["Latitude"], form["Longitude"], form["Label"]) == ("-33.4372", "-70.6506", "La Cocina, Santiago")
    assert "is not LATITUDE,LONGITUDE" in phone(sandbox.twilio_url, "la-cocina", "--location", "Merced 346").stderr


def test_a_reaction_is_for_the_last_message_and_needs_no_answer(
    sandbox: Sandbox, webhook: Webhook, twilio: Client
) -> None:
    webhook.answer("/whatsapp", twiml())
    sandbox.inbound(NUMBER, "hola", USER, wait=0)
    webhook.next()
    last = twilio.messages.create(to=TO, from_=FROM, body="Listo, reservado.").sid
    outcome = phone(sandbox.twilio_url, "la-cocina", "--reaction", "👍")
    assert (outcome.returncode, outcome.stdout) == (0, ""), outcome.stderr
    form = next(one.form for one in iter(webhook.next, None) if one.path == "/whatsapp")
    assert (form["MessageType"], form["Body"], form["OriginalRepliedMessageSid"]) == ("reaction", "👍", last)


def test_a_message_is_quoted(sandbox: Sandbox, webhook: Webhook) -> None:
    first = sent(sandbox, webhook, "hola")["MessageSid"]
    form = sent(sandbox, webhook, "esto", "--reply-to", first)
    assert (form["OriginalRepliedMessageSid"], form["OriginalRepliedMessageSender"]) == (first, TO)
    assert sent(sandbox, webhook, "y esto", "--reply-to", "last")["OriginalRepliedMessageSender"] == FROM


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((), "Missing argument 'TEXT', or one of the options"),
        (("--reply-to", "last"), "Missing argument 'TEXT', or one of the options"),
        (("--button", "1", "--location", "1,2"), "one file, tap, location or reaction"),
    ],
)
def test_a_message_has_words_or_one_other_thing(sandbox: Sandbox, words: tuple[str, ...], sentence: str) -> None:
    outcome = phone(sandbox.twilio_url, "la-cocina", *words)
    assert (outcome.returncode, sentence in outcome.stderr) == (2, True)


def test_a_file_that_is_not_there_is_said(sandbox: Sandbox, tmp_path: Path) -> None:
    missing = str(tmp_path / "nota.ogg")
    sentence = refused(phone(sandbox.twilio_url, "la-cocina", "--voice", missing))
    assert f"error: {missing} cannot be read: No such file or directory." in sentence


PLACE = {"twilio/location": {"latitude": -33.4372, "longitude": -70.6506, "label": "La Cocina"}}


def test_the_phone_shows_files_places_and_what_can_be_tapped_with_its_number(
    sandbox: Sandbox, webhook: Webhook, twilio: Client
) -> None:
    webhook.answer("/whatsapp", twiml())
    question, rows, place = (content(sandbox, types) for types in (QUESTION, LIST, PLACE))
    with ThreadPoolExecutor() as threads:
        outcome = threads.submit(phone, sandbox.twilio_url, "la-cocina", "carta")
        webhook.next()
        twilio.messages.create(to=TO, from_=FROM, body="Carta", media_url=["http://127.0.0.1:9/menu.pdf"])
        twilio.messages.create(to=TO, from_=FROM, content_sid=place)
        twilio.messages.create(to=TO, from_=FROM, content_sid=rows, content_variables='{"1": "6.900"}')
        variables = '{"1": "¿Va?", "2": "Sí", "3": "si"}'
        twilio.messages.create(to=TO, from_=FROM, content_sid=question, content_variables=variables)
        shown = outcome.result(timeout=60).stdout.strip().split("\n\n")
    assert shown == [
        "Carta\n[file] http://127.0.0.1:9/menu.pdf",
        "[location] -33.4372,-70.6506 La Cocina",
        "¿Qué le traigo?\n[Ver platos]\n  1. Cazuela: 6.900\n  2. Pastel",
        "¿Va?\n  1. Sí\n  2. No",
    ]


def test_both_sides_are_shown_where_a_person_may_answer_later(
    sandbox: Sandbox, webhook: Webhook, twilio: Client, tmp_path: Path
) -> None:
    webhook.answer("/whatsapp", twiml())
    (tmp_path / "foto.jpg").write_bytes(media_files.jpeg())
    asked = phone(sandbox.twilio_url, "la-cocina", "¿Hay alguien?", "--image", str(tmp_path / "foto.jpg"), "--human")
    assert (asked.returncode, asked.stdout.splitlines()) == (0, ["> ¿Hay alguien?", "  [file]"]), asked.stderr
    twilio.messages.create(to=TO, from_=FROM, body="Hola, soy Carla.\n¿En qué te ayudo?")
    shown = phone(sandbox.twilio_url, "la-cocina", "--human")
    assert shown.stdout.splitlines()[2:] == ["< Hola, soy Carla.", "  ¿En qué te ayudo?"]
