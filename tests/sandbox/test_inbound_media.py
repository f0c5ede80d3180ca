"""What people send besides words, as Twilio reports it, and files as Twilio keeps them."""

import json
from base64 import b64encode
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client

from tests import media_files
from tests.sandbox.conftest import NUMBER, USER, Webhook
from tests.sandbox_process import Sandbox, SandboxRefusal

FROM, TO = f"whatsapp:{NUMBER}", f"whatsapp:{USER}"
NOTE = media_files.voice_note("¿Tienen mesa para cuatro?")

pytestmark = pytest.mark.usefixtures("sender")


def file(content_type: str, content: bytes = b"", **more: Any) -> dict[str, Any]:
    return {"media": [{"content_type": content_type, "base64": b64encode(content).decode(), **more}]}


def received(sandbox: Sandbox, webhook: Webhook, body: str = "", **message: Any) -> dict[str, str]:
    """The parameters of the webhook for a message."""
    sandbox.inbound(NUMBER, body, USER, wait=0, **message)
    return next(one.form for one in iter(webhook.next, None) if one.path == "/whatsapp")


def fetched(sandbox: Sandbox, url: str, **more: Any) -> requests.Response:
    return requests.get(url, auth=(sandbox.account_sid, sandbox.auth_token), timeout=10, **more)


@pytest.mark.parametrize(
    ("content_type", "content", "kind"),
    [
        ("audio/ogg; codecs=opus", NOTE, "audio"),
        ("audio/amr", media_files.amr(), "audio"),
        ("image/jpeg", media_files.jpeg(), "image"),
        ("image/webp", media_files.webp(), "sticker"),
        ("video/mp4", media_files.mp4(), "video"),
        ("application/pdf", media_files.pdf(), "document"),
        ("text/csv", b"plato,precio\ncazuela,6900\n", "document"),
        ("text/vcard", media_files.vcard(), "contacts"),
    ],
)
def test_a_file_arrives_with_its_type_and_is_fetched_as_it_was_sent(
    sandbox: Sandbox, webhook: Webhook, content_type: str, content: bytes, kind: str
) -> None:
    form = received(sandbox, webhook, "mira", **file(content_type, content))
    assert (form["NumMedia"], form["Body"], form["MessageType"]) == ("1", "mira", kind)
    assert form["MediaContentType0"] == content_type
    answer = fetched(sandbox, form["MediaUrl0"])
    assert (answer.content, answer.headers["Content-Type"]) == (content, content_type)


def test_a_media_url_redirects_to_another_host_which_takes_no_credentials(sandbox: Sandbox, webhook: Webhook) -> None:
    url = received(sandbox, webhook, **file("audio/ogg", NOTE))["MediaUrl0"]
    redirect = fetched(sandbox, url, allow_redirects=False)
    place = redirect.headers["Location"]
    assert (redirect.status_code, urlsplit(place).netloc != urlsplit(url).netloc) == (307, True)
    assert requests.get(place, timeout=10).content == NOTE
    assert fetched(sandbox, place).status_code == 400
    assert requests.get(url, timeout=10).status_code == 401


def test_the_place_of_a_file_is_signed_and_short_lived(sandbox: Sandbox, webhook: Webhook) -> None:
    url = received(sandbox, webhook, **file("audio/ogg", NOTE))["MediaUrl0"]
    place = fetched(sandbox, url, allow_redirects=False).headers["Location"]
    path, _, query = place.partition("?")
    other = path.rpartition("/")[0] + "/ME" + "0" * 32
    assert requests.get(f"{other}?{query}", timeout=10).status_code == 403
    assert requests.get(path, timeout=10).status_code == 403
    sandbox.settings(clock_ahead_seconds=4 * 3600 + 2)
    assert requests.get(place, timeout=10).status_code == 403
    assert fetched(sandbox, url).content == NOTE


def test_an_old_account_hands_its_files_to_anybody(sandbox: Sandbox, webhook: Webhook) -> None:
    url = received(sandbox, webhook, **file("audio/ogg", NOTE))["MediaUrl0"]
    sandbox.settings(media_auth=False)
    assert requests.get(url, timeout=10).content == NOTE
    assert requests.delete(url, timeout=10).status_code == 401


def test_the_files_of_a_message_are_listed_and_deleted(sandbox: Sandbox, webhook: Webhook, twilio: Client) -> None:
    form = received(sandbox, webhook, **file("audio/ogg", NOTE))
    [medium] = twilio.messages(form["MessageSid"]).media.list()
    assert (medium.content_type, medium.parent_sid) == ("audio/ogg", form["MessageSid"])
    assert form["MediaUrl0"].endswith(str(medium.uri).removesuffix(".json"))
    place = fetched(sandbox, form["MediaUrl0"], allow_redirects=False).headers["Location"]
    assert medium.delete()
    assert fetched(sandbox, form["MediaUrl0"]).status_code == 404
    assert requests.get(place, timeout=10).status_code == 404


def test_a_deleted_message_takes_its_files_with_it(sandbox: Sandbox, webhook: Webhook, twilio: Client) -> None:
    form = received(sandbox, webhook, **file("audio/ogg", NOTE))
    place = fetched(sandbox, form["MediaUrl0"], allow_redirects=False).headers["Location"]
    assert twilio.messages(form["MessageSid"]).delete()
    assert requests.get(place, timeout=10).status_code == 404


def test_what_has_just_come_in_cannot_be_deleted_yet(sandbox: Sandbox, webhook: Webhook, twilio: Client) -> None:
    sandbox.settings(complete_seconds=60)
    sid = received(sandbox, webhook, **file("audio/ogg", NOTE))["MessageSid"]
    [medium] = twilio.messages(sid).media.list()
    for resource in (medium, twilio.messages(sid)):
        with pytest.raises(TwilioRestException) as caught:
            resource.delete()
        assert (caught.value.status, caught.value.code) == (409, 20009)
    sandbox.settings(clock_ahead_seconds=61)
    assert medium.delete()
    assert twilio.messages(sid).delete()


def test_a_file_may_be_as_big_as_is_asked_for(sandbox: Sandbox, webhook: Webhook) -> None:
    form = received(sandbox, webhook, **file("application/pdf", b"%PDF-1.7\n", bytes=16 * 2**20))
    content = fetched(sandbox, form["MediaUrl0"]).content
    assert (content[:9], len(content)) == (b"%PDF-1.7\n", 16 * 2**20)


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        ({"media": [{}]}, "a medium is"),
        ({"media": file("a/b")["media"] * 2}, "a message is one file, or one of list, location"),
        ({"reaction": "👍", **file("a/b")}, "a message is one file"),
        ({"reaction": "👍"}, "a reaction needs 'reply_to'"),
        ({"location": {"latitude": -33.4}}, "needs latitude and longitude"),
        ({"button": {"label": "x"}}, "'button' is an object of texts: title, id"),
        ({"reply_to": "SM1"}, "there is no message SM1"),
    ],
)
def test_what_no_phone_sends_is_refused(sandbox: Sandbox, message: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SandboxRefusal, match=sentence):
        sandbox.inbound(NUMBER, "", USER, wait=0, **message)


def test_a_location_has_its_place_and_no_body(sandbox: Sandbox, webhook: Webhook) -> None:
    place = {"latitude": -33.4372, "longitude": -70.6506, "label": "La Cocina", "address": "Merced 346, Santiago"}
    form = received(sandbox, webhook, location=place)
    assert (form["MessageType"], form["Body"], form["NumMedia"]) == ("location", "", "0")
    assert (form["Latitude"], form["Longitude"]) == ("-33.4372", "-70.6506")
    assert (form["Label"], form["Address"]) == ("La Cocina", "Merced 346, Santiago")


@pytest.mark.parametrize(("more", "kind"), [({}, "interactive"), ({"template": "yes"}, "button")])
def test_a_tapped_button_has_its_label_and_its_id(
    sandbox: Sandbox, webhook: Webhook, more: dict[str, str], kind: str
) -> None:
    form = received(sandbox, webhook, button={"title": "Sí, confirmo", "id": "confirm_123", **more})
    assert (form["MessageType"], form["Body"]) == (kind, "Sí, confirmo")
    assert (form["ButtonText"], form["ButtonPayload"]) == ("Sí, confirmo", "confirm_123")
    assert "ButtonType" not in form


@pytest.mark.parametrize(
    ("shape", "parameters", "reply"),
    [
        ("fields", {"ListId": "cazuela", "ListTitle": "Cazuela", "ListDescription": "6.900"}, None),
        ("metadata", {}, {"id": "cazuela", "title": "Cazuela", "description": "6.900"}),
        ("body", {}, None),
    ],
)
def test_the_row_of_a_list_arrives_in_each_shape_that_is_thought_possible(
    sandbox: Sandbox, webhook: Webhook, shape: str, parameters: dict[str, str], reply: Any
) -> None:
    sandbox.settings(list_replies=shape)
    form = received(sandbox, webhook, list={"title": "Cazuela", "id": "cazuela", "description": "6.900"})
    assert (form["Body"], form["MessageType"]) == ("Cazuela", "interactive")
    assert {name: value for name, value in form.items() if name.startswith(("List", "Button"))} == parameters
    assert json.loads(form["ChannelMetadata"])["data"].get("interactive", {}).get("list_reply") == reply


def test_a_form_arrives_with_its_answers(sandbox: Sandbox, webhook: Webhook) -> None:
    form = received(sandbox, webhook, flow={"personas": 4, "dia": "viernes"})
    assert json.loads(form["FlowData"]) == {"personas": 4, "dia": "viernes"}
    assert json.loads(form["InteractiveData"]) == {"answers": {"personas": 4, "dia": "viernes"}}


def test_a_reply_names_the_message_and_who_sent_it(sandbox: Sandbox, webhook: Webhook, twilio: Client) -> None:
    first = received(sandbox, webhook, "hola")
    sent = twilio.messages.create(to=TO, from_=FROM, body="¿Confirma?")
    form = received(sandbox, webhook, "sí", reply_to=sent.sid)
    assert (form["OriginalRepliedMessageSid"], form["OriginalRepliedMessageSender"]) == (sent.sid, FROM)
    own = received(sandbox, webhook, "esto", reply_to=first["MessageSid"])
    assert own["OriginalRepliedMessageSender"] == TO


def test_a_reply_to_a_message_of_last_week_does_not_name_it(sandbox: Sandbox, webhook: Webhook) -> None:
    sid = received(sandbox, webhook, "hola")["MessageSid"]
    sandbox.settings(clock_ahead_seconds=8 * 24 * 3600)
    assert "OriginalRepliedMessageSid" not in received(sandbox, webhook, "sí", reply_to=sid)


def test_a_reaction_is_an_emoji_for_a_message(sandbox: Sandbox, webhook: Webhook, twilio: Client) -> None:
    sent = twilio.messages.create(to=TO, from_=FROM, body="Listo, reservado.")
    form = received(sandbox, webhook, reaction="👍", reply_to=sent.sid)
    assert (form["MessageType"], form["Body"], form["OriginalRepliedMessageSid"]) == ("reaction", "👍", sent.sid)


def test_a_kind_that_twilio_does_not_know_is_unsupported(sandbox: Sandbox, webhook: Webhook) -> None:
    form = received(sandbox, webhook, unsupported="poll_creation")
    assert (form["MessageType"], form["Body"], form["NumMedia"]) == ("unsupported", "", "0")


def test_a_webhook_may_come_without_a_type(sandbox: Sandbox, webhook: Webhook) -> None:
    form = received(sandbox, webhook, button={"title": "Sí", "id": "si"}, message_type="")
    assert "MessageType" not in form
