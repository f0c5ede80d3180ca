"""What Meta decides about a template reaches the runtime at once, signed by the account, and people where it is bad."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator
from functools import partial
from hashlib import sha256
from urllib.request import Request, urlopen

import pytest

from runtime.inbound.signature import signature
from tests.documents.receiver import Receiver, receiving
from tests.drivers.fleet import Fleet, fleet_on
from tests.runtime.template_shop import REOPEN, post_form, shop_with_templates
from tests.runtime_process import Line
from tests.sandbox_process import Json, Sandbox, wait_until

TYPE = "com.twilio.messaging.template.approval.updated"
ACCOUNT = "AC00000000000000000000000000005a4d"


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with receiving() as channel:
        yield channel


@pytest.fixture(
    scope="module", params=["sqlite", pytest.param("postgresql", marks=[pytest.mark.postgres, pytest.mark.long])]
)
def fleet(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    sandbox_process: Sandbox,
    receiver: Receiver,
) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("template-events")
    with fleet_on(request.param, folder, sandbox_process, ALERT_NOTIFY=receiver.url()) as fleet:
        yield fleet


def url_of(fleet: Fleet, account: str = ACCOUNT) -> str:
    """The webhook, at the address that Twilio calls and signs."""
    return f"{fleet.replicas[0].url}/webhook/templates/{account}"


def post(
    fleet: Fleet, body: bytes, *, token: str = "sandbox-token", account: str = ACCOUNT, digest: str | None = None
) -> int:
    """The status of one request as Twilio sends it; `digest`: of the body that the URL names, empty for none."""
    digest = sha256(body).hexdigest() if digest is None else digest
    path = f"/webhook/templates/{account}" + (f"?bodySHA256={digest}" if digest else "")
    signed = signature(token, fleet.replicas[0].url + path, {})
    headers = {"X-Twilio-Signature": signed, "Content-Type": "application/json"}
    return fleet.replicas[0].request("POST", path, body, headers).status


def event(sid: str, account: str = ACCOUNT) -> Json:
    return {"type": TYPE, "data": {"type": "status_update", "accountSid": account, "template": {"sid": sid}}}


def subscribe(fleet: Fleet, sandbox: Sandbox) -> str:
    """A sink at the runtime, with its subscription."""
    where = json.dumps({"destination": url_of(fleet), "method": "POST", "batch_events": False})
    form = {"Description": "x", "SinkType": "webhook", "SinkConfiguration": where}
    sink = str(post_form(sandbox, "/v1/Sinks", form)["sid"])
    if sandbox.ask("GET", "settings")["sink_status"] != "active":
        post_form(sandbox, f"/v1/Sinks/{sink}/Test", {})
        wait_until(lambda: sink_status(sandbox) == "active", what="the runtime to confirm the test event")
    types = json.dumps({"type": TYPE, "schema_version": 1})
    post_form(sandbox, "/v1/Subscriptions", {"Description": "x", "SinkSid": sink, "Types": types})
    return sink


def sink_status(sandbox: Sandbox) -> str:
    [sink] = get(sandbox, "/v1/Sinks")["sinks"]
    return str(sink["status"])


def get(sandbox: Sandbox, path: str) -> Json:
    credentials = b64encode(f"{sandbox.account_sid}:{sandbox.auth_token}".encode()).decode()
    request = Request(sandbox.twilio_url + path, headers={"Authorization": f"Basic {credentials}"})
    with urlopen(request, timeout=20) as answer:
        return dict(json.loads(answer.read()))


def decided(fleet: Fleet, shop: Line) -> list[tuple[str, str, str]]:
    """What the log tells of decisions about a client's templates, of all replicas."""
    logs = [entry for replica in fleet.replicas for entry in replica.log() if entry["event"] == "template_decided"]
    return [(one["template"], one["status"], one["category"]) for one in logs if one["client"] == shop.bot["id"]]


def sid_of(shop: Line, name: str = "retomar") -> str:
    return str(shop.bot["policy"]["template_sids"][name])


def has_told(receiver: Receiver, least: int) -> bool:
    return len(receiver.arrived) >= least


def told(receiver: Receiver, first: int) -> list[str]:
    """What the channel got since."""
    return [str(one["message"]) for one in receiver.messages[first:]]


def test_a_rejection_a_pause_and_another_category_are_reported_at_once_and_once_each(
    fleet: Fleet, sandbox: Sandbox, receiver: Receiver
) -> None:
    first = len(receiver.arrived)
    subscribe(fleet, sandbox)
    shop = shop_with_templates(fleet.replicas[0], sandbox, {"retomar": REOPEN})
    for number, changes in enumerate(
        ({"status": "paused"}, {"status": "approved", "category": "MARKETING"}, {"category": "UTILITY"}), 1
    ):
        sandbox.ask("PATCH", f"contents/{sid_of(shop)}", changes)
        wait_until(partial(has_told, receiver, first + number), what="the notice")
    paused, recategorised, over = told(receiver, first)
    assert paused.startswith("Meta la pausó")
    assert recategorised.startswith("Meta la cobra como marketing; está declarada como utility.")
    assert over.startswith("Aprobada de nuevo")
    metrics = [replica.api("GET", "/metrics").body.decode() for replica in fleet.replicas]
    assert any(
        f'horizonai_template_decisions_total{{client="{shop.bot["id"]}",outcome="paused"}}' in one for one in metrics
    )
    before = len(decided(fleet, shop))
    assert post(fleet, json.dumps([event(sid_of(shop))]).encode()) == 200
    wait_until(lambda: len(decided(fleet, shop)) > before, what="the repeated event")
    assert len(told(receiver, first)) == 3


def test_what_was_approved_a_moment_ago_is_not_sent_once_meta_has_paused_it(fleet: Fleet, sandbox: Sandbox) -> None:
    subscribe(fleet, sandbox)
    shop = shop_with_templates(fleet.replicas[0], sandbox, {"retomar": REOPEN})
    message = {"to": "+56955600001", "template": "retomar", "bot_id": shop.bot["id"]}
    assert [replica.api("POST", "/messages/", message).status for replica in fleet.replicas] == [201] * len(
        fleet.replicas
    )
    sandbox.ask("PATCH", f"contents/{sid_of(shop)}", {"status": "paused"})

    def is_refused_by_all() -> bool:
        return all(replica.api("POST", "/messages/", message).status >= 400 for replica in fleet.replicas)

    wait_until(is_refused_by_all, what="every replica to refuse it")


def test_a_sink_that_is_not_active_at_once_is_confirmed_by_its_test_event(fleet: Fleet, sandbox: Sandbox) -> None:
    sandbox.settings(sink_status="initialized")
    subscribe(fleet, sandbox)
    assert sink_status(sandbox) == "active"


@pytest.mark.parametrize("wrong", ["token", "account", "other body", "no hash", "not an account"])
def test_what_the_account_has_not_signed_is_refused_and_asks_nobody(fleet: Fleet, sandbox: Sandbox, wrong: str) -> None:
    body = json.dumps([event(f"HX{7:032x}")]).encode()
    given: dict[str, dict[str, str]] = {
        "token": {"token": "another-token"},
        "account": {"account": f"AC{1:032x}"},
        "other body": {"digest": sha256(b"[]").hexdigest()},
        "no hash": {"digest": ""},
        "not an account": {"account": "AC123"},
    }
    before = fleet.rows("SELECT count(*) FROM timers WHERE kind = 'template_event'")
    assert post(fleet, body, **given[wrong]) == 403
    assert fleet.replicas[0].request("POST", f"/webhook/templates/{ACCOUNT}", body, {}).status == 403
    assert fleet.rows("SELECT count(*) FROM timers WHERE kind = 'template_event'") == before


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"not json", 400),
        (b'"a text"', 400),
        (json.dumps([event(f"HX{n:032x}") for n in range(101)]).encode(), 400),
        (b"[" + b" " * 300_000 + b"]", 413),
        (json.dumps([1, {}, {"type": TYPE}, event("HX1"), event(f"HX{8:032x}", "AC2")]).encode(), 200),
        (json.dumps([event(f"HX{9:032x}")]).encode(), 200),
    ],
    ids=["not JSON", "not an array", "too many", "too large", "other events", "nobody's template"],
)
def test_what_is_no_decision_about_a_template_of_ours_changes_nothing(
    fleet: Fleet, sandbox: Sandbox, body: bytes, status: int
) -> None:
    assert post(fleet, body) == status
    wait_until(
        lambda: fleet.rows("SELECT count(*) FROM timers WHERE kind = 'template_event'") == [(0,)], what="no timer"
    )
    assert sandbox.calls("twilio", "GET", "ApprovalRequests") == []
