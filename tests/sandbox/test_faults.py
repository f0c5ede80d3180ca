"""What can be made to go wrong, as the SDKs experience it."""

import time
from typing import Any

import openai as sdk
import pytest
import requests
from openai import OpenAI
from twilio.base.exceptions import TwilioException
from twilio.rest import Client

from tests.sandbox.conftest import NUMBER, error_of
from tests.sandbox_process import Sandbox, SandboxRefusal

MODEL = "gpt-6-luna"


def test_a_call_fails_with_the_status_asked_for(openai: OpenAI, sandbox: Sandbox) -> None:
    sandbox.faults({"kind": "status", "provider": "openai", "path": "/v1/models", "status": 503})
    with pytest.raises(sdk.InternalServerError) as caught:
        openai.models.list()
    assert error_of(caught.value)["type"] == "server_error"


def test_a_body_can_be_given(openai: OpenAI, sandbox: Sandbox) -> None:
    body = {"error": {"message": "no money", "type": "insufficient_quota", "param": None, "code": "insufficient_quota"}}
    sandbox.faults({"kind": "status", "status": 429, "body": body})
    with pytest.raises(sdk.RateLimitError) as caught:
        openai.models.list()
    assert error_of(caught.value)["code"] == "insufficient_quota"


def test_a_rate_limit_says_when_to_come_back(openai: OpenAI, twilio: Client, sandbox: Sandbox) -> None:
    sandbox.faults({"kind": "retry_after", "retry_after": 7})
    with pytest.raises(sdk.RateLimitError) as caught:
        openai.models.list()
    assert caught.value.response.headers["Retry-After"] == "7"
    assert error_of(caught.value)["code"] == "rate_limit_exceeded"
    url = f"https://api.twilio.com/2010-04-01/Accounts/{sandbox.account_sid}.json"
    answer = twilio.request("GET", url)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")
    assert '"code": 20429' in answer.text


def test_a_client_that_obeys_gets_through(openai: OpenAI, sandbox: Sandbox) -> None:
    sandbox.faults({"kind": "retry_after", "retry_after": 0.05, "times": 2})
    assert openai.with_options(max_retries=2).models.list().data
    assert [call["status"] for call in sandbox.calls("openai")] == [429, 429, 200]


def test_exactly_the_nth_call_fails(openai: OpenAI, sandbox: Sandbox) -> None:
    sandbox.faults({"kind": "status", "path": "/v1/models", "nth": 3})
    outcomes = []
    for _ in range(5):
        try:
            openai.models.list()
            outcomes.append("ok")
        except sdk.InternalServerError:
            outcomes.append("failed")
    assert outcomes == ["ok", "ok", "failed", "ok", "ok"]
    assert sandbox.fired() == 1


def test_only_calls_with_a_text_in_their_body_fail(openai: OpenAI, sandbox: Sandbox) -> None:
    sandbox.faults({"kind": "status", "path": "/v1/responses", "containing": "la-cocina"})

    assert openai.responses.create(model=MODEL, input="Hola", metadata={"client": "el-viejo"}).output
    with pytest.raises(sdk.InternalServerError):
        openai.responses.create(model=MODEL, input="Hola", metadata={"client": "la-cocina"})


def test_a_rate_is_the_same_for_the_same_seed(openai: OpenAI, sandbox: Sandbox) -> None:
    def outcomes() -> list[int]:
        sandbox.faults({"kind": "status", "rate": 0.5, "seed": 7})
        url, key = f"{sandbox.openai_url}/models", {"Authorization": f"Bearer {sandbox.api_key}"}
        return [requests.get(url, headers=key, timeout=10).status_code for _ in range(20)]

    first = outcomes()
    assert first == outcomes()
    assert set(first) == {200, 500}


def test_latency_comes_before_the_answer(openai: OpenAI, sandbox: Sandbox) -> None:
    sandbox.faults({"kind": "latency", "seconds": 0.2})
    started = time.monotonic()
    openai.models.list()
    assert time.monotonic() - started >= 0.2


def test_a_time_out_after_the_write_leaves_the_object(openai: OpenAI, sandbox: Sandbox) -> None:
    rule = {"kind": "timeout_after_write", "method": "POST", "path": "/v1/vector_stores", "times": 1}
    sandbox.faults({**rule, "seconds": 20})
    with pytest.raises(sdk.APITimeoutError):
        openai.with_options(timeout=0.3).vector_stores.create(name="una vez")
    assert [store.name for store in openai.vector_stores.list()] == ["una vez"]


@pytest.mark.parametrize("kind", ["timeout_before_write", "drop_connection"])
def test_a_lost_call_leaves_nothing(openai: OpenAI, sandbox: Sandbox, kind: str) -> None:
    sandbox.faults({"kind": kind, "method": "POST", "seconds": 0, "times": 1})
    with pytest.raises(sdk.APIConnectionError):
        openai.vector_stores.create(name="nunca")
    assert openai.vector_stores.list().data == []
    assert sandbox.calls("openai")[0]["status"] is None


def test_an_answer_can_be_cut_in_the_middle(openai: OpenAI, sandbox: Sandbox) -> None:
    sandbox.faults({"kind": "cut_body", "path": "/v1/models", "times": 1})
    with pytest.raises(sdk.APIConnectionError):
        openai.models.list()


def test_a_page_can_get_lost(twilio: Client, sandbox: Sandbox) -> None:
    for index in range(6):
        sandbox.register(f"+1555000000{index}")
    sandbox.faults({"kind": "drop_page", "path": "/v2/Channels/Senders", "nth": 2})
    assert len(twilio.messaging.v2.channels_senders.list(channel="whatsapp", page_size=2)) == 4


def test_a_second_page_can_fail(twilio: Client, sandbox: Sandbox) -> None:
    for index in range(3):
        sandbox.register(f"+1555000000{index}")
    sandbox.faults({"kind": "status", "path": "/v2/Channels/Senders", "nth": 2})
    with pytest.raises(TwilioException):
        twilio.messaging.v2.channels_senders.list(channel="whatsapp", page_size=2)


def test_a_list_of_senders_can_be_sparser_still(twilio: Client, sandbox: Sandbox, sender: Any) -> None:
    sandbox.faults({"kind": "sparse_list", "path": "/v2/Channels/Senders", "method": "GET"})
    listed = twilio.messaging.v2.channels_senders.list(channel="whatsapp")[0]
    assert (listed.webhook, listed.profile) == (None, None)
    assert twilio.messaging.v2.channels_senders(sender["sid"]).fetch().webhook == sender["webhook"]


def test_a_path_may_be_a_pattern(openai: OpenAI, sandbox: Sandbox) -> None:
    sandbox.faults({"kind": "status", "path": "/v1/*/gpt-6-luna"})
    assert openai.models.list().data
    with pytest.raises(sdk.InternalServerError):
        openai.models.retrieve(MODEL)


@pytest.mark.parametrize(
    ("rule", "sentence"),
    [
        ({"kind": "status", "sttus": 500}, "unknown key 'sttus'; allowed are: kind, provider"),
        ({"kind": "explode"}, "'kind' is one of latency, status"),
        ({"provider": "openai"}, "'kind' is missing"),
        ({"kind": "status", "status": "500"}, "'status' cannot be '500'"),
        ({"kind": "status", "provider": "azure"}, "'provider' is one of openai, twilio"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(sandbox: Sandbox, rule: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SandboxRefusal, match=sentence):
        sandbox.faults(rule)


def test_settings_that_make_no_sense_are_refused(sandbox: Sandbox) -> None:
    with pytest.raises(SandboxRefusal, match="unknown setting 'think'; there are: assistants_api"):
        sandbox.settings(think=1)
    with pytest.raises(SandboxRefusal, match="one of compatible, gone"):
        sandbox.settings(assistants_api="away")


def test_no_rules_is_no_faults(openai: OpenAI, sandbox: Sandbox) -> None:
    sandbox.faults({"kind": "status"})
    sandbox.faults()
    assert openai.models.list().data


def test_a_wrong_token_is_told_before_any_fault(sandbox: Sandbox) -> None:
    sandbox.faults({"kind": "status"})
    url = f"{sandbox.twilio_url}/2010-04-01/Accounts/{sandbox.account_sid}.json"
    assert requests.get(url, auth=(sandbox.account_sid, NUMBER), timeout=10).status_code == 401
