"""The Content API: buttons, lists, files and places; what the phone shows of them, and what WhatsApp refuses."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client
from twilio.rest.content.v1.content import ContentList
from twilio.rest.content.v1.content.approval_create import ApprovalCreateList

from tests.sandbox.conftest import NUMBER, USER
from tests.sandbox_process import Sandbox, wait_until

FROM, TO = f"whatsapp:{NUMBER}", f"whatsapp:{USER}"
BUTTONS = {"type": "QUICK_REPLY", "title": "{{2}}", "id": "{{3}}"}
FOUR = {"twilio/quick-reply": {"body": "x", "actions": [{"title": str(number)} for number in range(4)]}}
QUESTION = {"twilio/quick-reply": {"body": "{{1}}", "actions": [BUTTONS, {"title": "No", "id": "no"}]}}
ROWS = [{"id": "cazuela", "item": "Cazuela", "description": "{{1}}"}, {"id": "pastel", "item": "Pastel"}]
LIST = {"twilio/list-picker": {"body": "¿Qué le traigo?", "button": "Ver platos", "items": ROWS}}

pytestmark = pytest.mark.usefixtures("open_window")
Make = Callable[..., str]


@pytest.fixture
def open_window(sandbox: Sandbox, sender: Any) -> None:
    sandbox.inbound(NUMBER, "hola", USER, wait=0)
    sandbox.settings(template_review="approve")


@pytest.fixture
def make(twilio: Client) -> Make:
    """Makes a content, approved where it is given a category, and gives its sid."""

    def made(types: dict[str, Any], category: str = "", **more: Any) -> str:
        document = {"friendly_name": "x", "language": "es", "types": types, **more}
        sid = str(twilio.content.v1.contents.create(ContentList.ContentCreateRequest(document)).sid)
        if category:
            approval = ApprovalCreateList.ContentApprovalRequest({"name": "x", "category": category})
            twilio.content.v1.contents(sid).approval_create.create(approval)
        return sid

    return made


def refusal(act: Callable[..., Any], *args: Any, **more: Any) -> tuple[int, int, str]:
    with pytest.raises(TwilioRestException) as caught:
        act(*args, **more)
    return caught.value.status, caught.value.code, caught.value.msg


def send(client: Client, sid: str, variables: dict[str, str] | None = None) -> Any:
    values = {} if variables is None else {"content_variables": json.dumps(variables)}
    return client.messages.create(to=TO, from_=FROM, content_sid=sid, **values)


def ended(client: Client, message: Any) -> tuple[str, int | None]:
    """The final status of a message, and its error code."""
    wait_until(lambda: client.messages(message.sid).fetch().status in ("delivered", "undelivered", "failed"))
    row = client.messages(message.sid).fetch()
    return str(row.status), row.error_code


def shown(sandbox: Sandbox) -> dict[str, Any]:
    """What the phone shows of the last message."""
    content: dict[str, Any] = sandbox.ledger(kind="outbound")[-1]["content"]
    return content


def test_buttons_are_sent_within_the_window_without_approval(sandbox: Sandbox, twilio: Client, make: Make) -> None:
    message = send(twilio, make(QUESTION), {"1": "¿Confirma?", "2": "Sí, confirmo", "3": "confirm_123"})
    assert (message.body, ended(twilio, message)) == ("¿Confirma?", ("delivered", None))
    buttons = [{"title": "Sí, confirmo", "id": "confirm_123"}, {"title": "No", "id": "no"}]
    assert shown(sandbox) == {"type": "twilio/quick-reply", "body": "¿Confirma?", "buttons": buttons}


def test_a_list_shows_its_rows(sandbox: Sandbox, twilio: Client, make: Make) -> None:
    assert ended(twilio, send(twilio, make(LIST), {"1": "6.900"}))[0] == "delivered"
    assert shown(sandbox)["button"] == "Ver platos"
    assert shown(sandbox)["rows"] == [
        {"id": "cazuela", "title": "Cazuela", "description": "6.900"},
        {"id": "pastel", "title": "Pastel", "description": ""},
    ]


def test_a_place_is_shown_with_its_label(sandbox: Sandbox, twilio: Client, make: Make) -> None:
    place = {"latitude": -33.4372, "longitude": -70.6506, "label": "{{1}}", "address": "Merced 346"}
    assert ended(twilio, send(twilio, make({"twilio/location": place}), {"1": "La Cocina"}))[0] == "delivered"
    assert shown(sandbox)["location"] == {**place, "label": "La Cocina"}


def test_the_answers_of_a_conversation_have_what_can_be_tapped(sandbox: Sandbox, twilio: Client, make: Make) -> None:
    sid = make(LIST)
    with ThreadPoolExecutor() as threads:
        waiting = threads.submit(sandbox.inbound, NUMBER, "carta", USER)
        wait_until(lambda: len(sandbox.ledger(kind="inbound")) == 2, what="the user's message")
        send(twilio, sid, {"1": "6.900"})
        [answer] = waiting.result(timeout=20)["answers"]
    assert (answer["body"], answer["button"], len(answer["rows"])) == ("¿Qué le traigo?", "Ver platos", 2)


@pytest.mark.parametrize(
    ("types", "sentence"),
    [
        ({}, "types has no type"),
        ({"twilio/quick-reply": {"body": "x"}}, "actions is required"),
        ({"twilio/quick-reply": {"body": "x", "actions": []}}, "has from 1 to 10 elements"),
        ({"twilio/quick-reply": {"body": "x", "actions": [{"title": "t" * 21}]}}, "longer than 20 characters"),
        ({"twilio/list-picker": {"body": "x", "button": "b", "items": ROWS * 6}}, "has from 1 to 10 elements"),
        ({"twilio/list-picker": {"body": "x", "button": "b" * 21, "items": ROWS}}, "longer than 20 characters"),
        ({"twilio/media": {"media": ["https://a.cl/1", "https://a.cl/2"]}}, "has from 1 to 1 elements"),
        (
            {
                "twilio/call-to-action": {
                    "body": "x",
                    "actions": [{"type": "URL", "title": "{{1}}", "url": "https://a.cl"}],
                }
            },
            "cannot have variables",
        ),
    ],
)
def test_a_content_that_twilio_does_not_take_is_refused(make: Make, types: dict[str, Any], sentence: str) -> None:
    status, code, message = refusal(make, types)
    assert (status, code) == (400, 20001)
    assert sentence in message


@pytest.mark.parametrize(
    ("types", "sentence"),
    [
        ({"twilio/button": {"body": "x"}}, "types.twilio/button is unknown"),
        ({"twilio/text": {"body": "x", "footer": "y"}}, "types.twilio/text.footer is unknown"),
    ],
)
def test_a_name_that_twilio_does_not_know_is_refused(sandbox: Sandbox, types: dict[str, Any], sentence: str) -> None:
    account = sandbox.account_sid, sandbox.auth_token
    document = {"language": "es", "types": types}
    refused = requests.post(f"{sandbox.twilio_url}/v1/Content", json=document, auth=account, timeout=10).json()
    assert (refused["code"], refused["message"]) == (20001, sentence)


def test_buttons_with_variables_may_be_refused(sandbox: Sandbox, make: Make) -> None:
    sandbox.settings(button_variables=False)
    assert "cannot have variables" in refusal(make, QUESTION)[2]
    make({"twilio/quick-reply": {"body": "{{1}}", "actions": [{"title": "No", "id": "no"}]}})


@pytest.mark.parametrize(
    ("types", "variables", "outcome"),
    [
        (QUESTION, {"1": "¿Confirma?", "2": "t" * 21, "3": "si"}, ("failed", 63021)),
        (QUESTION, {"1": "b" * 1025, "2": "Sí", "3": "si"}, ("failed", 63021)),
        (QUESTION, {"1": "¿Confirma?", "2": "Sí", "3": "i" * 257}, ("failed", 63021)),
        (QUESTION, {"1": "¿Confirma?", "2": "No", "3": "si"}, ("failed", 63021)),
        (QUESTION, {"1": "¿Confirma?", "2": "", "3": "si"}, ("failed", 63021)),
        (QUESTION, {"1": "¿Confirma?", "2": "Sí"}, ("failed", 63028)),
        (QUESTION, None, ("failed", 63028)),
        (LIST, {"1": "d" * 73}, ("failed", 63021)),
        (LIST, {"1": "d" * 72}, ("delivered", None)),
        (
            {"twilio/quick-reply": {"body": "x", "actions": [{"title": str(n)} for n in range(4)]}},
            {},
            ("failed", 63021),
        ),
        ({"twilio/text": {"body": "{{1}}"}}, {"1": "x" * 1600}, ("delivered", None)),
        ({"twilio/carousel": {"body": "x", "cards": []}}, {}, ("failed", 63021)),
    ],
)
def test_what_whatsapp_does_not_show_fails_after_it_was_accepted(
    twilio: Client, make: Make, types: dict[str, Any], variables: dict[str, str] | None, outcome: Any
) -> None:
    assert ended(twilio, send(twilio, make(types), variables)) == outcome


def test_more_buttons_are_shown_after_approval(twilio: Client, make: Make) -> None:
    assert ended(twilio, send(twilio, make(FOUR, "UTILITY"))) == ("delivered", None)


@pytest.mark.parametrize(
    "variables", ["{", "[]", '{"1": 7}', '{"1": null}', json.dumps({"k" * 17: "x"}), json.dumps({"1": "x" * 1601})]
)
def test_variables_that_are_not_an_object_of_texts_are_refused(twilio: Client, make: Make, variables: str) -> None:
    sid = make({"twilio/text": {"body": "{{1}}"}})
    found = refusal(twilio.messages.create, to=TO, from_=FROM, content_sid=sid, content_variables=variables)
    assert found[:2] == (400, 21656)


def test_values_of_an_approved_template_are_one_line(twilio: Client, make: Make) -> None:
    body = {"twilio/text": {"body": "Hola {{1}}."}}
    assert refusal(send, twilio, make(body, "UTILITY"), {"1": "a\nb"})[:2] == (400, 21656)
    assert send(twilio, make(body), {"1": "a\nb"}).body == "Hola a\nb."


def test_variables_have_the_values_of_the_content_where_none_are_given(twilio: Client, make: Make) -> None:
    sid = make({"twilio/text": {"body": "Hola {{1}} y {{2}}."}}, variables={"1": "Ana", "2": "Eva"})
    assert send(twilio, sid, {"2": "Luz"}).body == "Hola Ana y Luz."


def test_a_list_is_never_approved(make: Make) -> None:
    status, code, message = refusal(make, LIST, "UTILITY")
    assert (status, code) == (400, 20001)
    assert "twilio/list-picker cannot be submitted for approval" in message


def test_a_content_is_fetched_listed_changed_and_deleted(twilio: Client, make: Make) -> None:
    sid, other = make(LIST), make(QUESTION, "UTILITY")
    contents = twilio.content.v1.contents
    assert contents(sid).fetch().types == LIST
    assert [item.sid for item in contents.list()] == [sid, other]
    states = {item.sid: item.approval_requests["status"] for item in twilio.content.v1.content_and_approvals.list()}
    assert states == {sid: "unsubmitted", other: "approved"}
    changed = ContentList.ContentUpdateRequest({"types": {"twilio/text": {"body": "Hola"}}})
    assert contents(sid).update(changed).types == {"twilio/text": {"body": "Hola"}}
    assert refusal(contents(other).update, changed)[:2] == (400, 20001)
    assert contents(sid).delete()
    assert refusal(contents(sid).fetch)[:2] == (404, 20404)
    assert refusal(send, twilio, sid)[:2] == (400, 21655)


def test_a_list_outside_the_window_is_undelivered(sandbox: Sandbox, twilio: Client, make: Make) -> None:
    sandbox.settings(clock_ahead_seconds=25 * 3600)
    assert ended(twilio, send(twilio, make(LIST), {"1": "x"})) == ("undelivered", 63016)


def approval_of(client: Client, sid: str) -> dict[str, Any]:
    shown: dict[str, Any] = client.content.v1.contents(sid).approval_fetch().fetch().whatsapp
    return shown


@pytest.mark.parametrize(
    ("body", "variables", "status"),
    [
        ("Hola {{1}}, te esperamos el {{2}}.", {"1": "Ana", "2": "martes"}, "approved"),
        ("{{1}}, te esperamos mañana.", {"1": "Ana"}, "rejected"),
        ("Te esperamos mañana, {{1}}", {"1": "Ana"}, "rejected"),
        ("Hola, te esperamos el {{1}} {{2}} en el local.", {"1": "martes", "2": "10:00"}, "rejected"),
        ("Hola, te esperamos el {{2}} en el local.", {"2": "martes"}, "rejected"),
        ("Hola {{1}}, te esperamos mañana.", {}, "rejected"),
        ("Hola {{1}}.", {"1": "Ana"}, "rejected"),
        ("Escribe a https://wa.me/56912345678 hoy", {}, "rejected"),
    ],
)
def test_a_template_is_reviewed_by_the_published_rules(
    sandbox: Sandbox, twilio: Client, make: Make, body: str, variables: dict[str, str], status: str
) -> None:
    sandbox.settings(template_review="rules")
    sid = make({"twilio/text": {"body": body}}, "UTILITY", variables=variables)
    found = approval_of(twilio, sid)
    assert (found["status"], bool(found["rejection_reason"])) == (status, status == "rejected")


def test_a_review_takes_time_and_a_rejected_name_is_not_taken_again(
    sandbox: Sandbox, twilio: Client, make: Make
) -> None:
    sandbox.settings(template_review="reject", template_review_seconds=3600.0)
    sid = make({"twilio/text": {"body": "Hola"}}, "UTILITY")
    assert approval_of(twilio, sid)["status"] == "received"
    sandbox.settings(clock_ahead_seconds=3601.0)
    assert approval_of(twilio, sid)["rejection_reason"] == "TAG_CONTENT_MISMATCH"
    assert "was rejected before" in refusal(make, {"twilio/text": {"body": "Hola"}}, "UTILITY")[2]


def test_meta_puts_a_template_into_another_category_and_pauses_it(sandbox: Sandbox, twilio: Client, make: Make) -> None:
    sid = make({"twilio/text": {"body": "Hola"}}, "UTILITY")
    sandbox.ask("PATCH", f"contents/{sid}", {"category": "MARKETING"})
    assert (approval_of(twilio, sid)["category"], approval_of(twilio, sid)["status"]) == ("MARKETING", "approved")
    sandbox.ask("PATCH", f"contents/{sid}", {"status": "paused"})
    sandbox.settings(clock_ahead_seconds=25 * 3600)
    assert ended(twilio, send(twilio, sid))[0] == "undelivered"


def test_who_stopped_promotions_gets_no_marketing_template_and_any_other(
    sandbox: Sandbox, twilio: Client, make: Make
) -> None:
    words = {"twilio/text": {"body": "Hoy 2x1 en cazuelas."}}
    promotion, reminder = make(words, "MARKETING"), make(words, "UTILITY")
    sandbox.inbound(NUMBER, "", USER, wait=0, stop_promotions="es")

    assert ended(twilio, send(twilio, promotion)) == ("undelivered", 63014)
    assert ended(twilio, send(twilio, reminder)) == ("delivered", None)
