"""Clients' secrets that are not set where the runtime runs: named at the start, by /ready and in the API's answers."""

from collections.abc import Callable

from tests.runtime_process import API_TOKEN, Runtime, new_number
from tests.sandbox_process import Json

ENDPOINT = {"url": "https://api.lacocina.cl/reservas", "secret_env": "HOOK_SECRET", "timeout_seconds": 10.0}


def bot(**fields: object) -> Json:
    own = {"instructions": "Hola.", "model": "gpt-6-luna"}
    return {"name": "Bot", "twilio_phone_number": new_number(), **own, **fields}


def ready(runtime: Runtime, token: str | None) -> Json:
    answer = runtime.api("GET", "/ready", token=token)
    assert answer.status == 200, answer.body
    document: Json = answer.json
    return document


def test_a_missing_secret_degrades_its_client_and_is_named_to_a_caller_with_a_token_only(
    runtime_factory: Callable[..., Runtime],
) -> None:
    runtime = runtime_factory()
    assert ready(runtime, None) == ready(runtime, API_TOKEN) == {"status": "ready"}
    functions = {"reservar": ENDPOINT | {"authorization_env": "HOOK_AUTHORIZATION"}}
    account = {"account_sid": "AC" + "1" * 32, "auth_token_env": "OWN_TWILIO_TOKEN"}

    made = runtime.made("/bots/", bot(functions=functions, **account))

    variables = ["OWN_TWILIO_TOKEN", "HOOK_SECRET", "HOOK_AUTHORIZATION"]
    assert [warning.split()[0] for warning in made["warnings"]] == variables
    assert ready(runtime, None) == ready(runtime, "wrong-token") == {"status": "ready", "degraded_clients": 1}
    listed = ready(runtime, API_TOKEN)["degraded"]
    assert [(item["client"], item["variable"]) for item in listed] == [(made["id"], name) for name in variables]
    assert listed[1]["use"] == "the function reservar: each call fails"

    runtime.stop()
    runtime.start_again()

    said = [entry for entry in runtime.log() if entry["event"] == "secret_missing"]
    assert [(entry["client"], entry["variable"]) for entry in said] == [(made["id"], name) for name in variables]
    assert runtime.api("DELETE", f"/bots/{made['id']}").status == 204
    assert ready(runtime, None) == {"status": "ready"}


def test_a_secret_that_is_set_is_not_missing(runtime_factory: Callable[..., Runtime]) -> None:
    runtime = runtime_factory(HOOK_SECRET="s3cret")

    assert runtime.made("/bots/", bot(functions={"reservar": ENDPOINT}))["warnings"] == []
    assert ready(runtime, API_TOKEN) == {"status": "ready"}


def test_a_bot_whose_function_can_never_be_called_is_refused(runtime_factory: Callable[..., Runtime]) -> None:
    runtime = runtime_factory(ALLOW_PRIVATE_ENDPOINTS="false")
    for url in ("http://api.lacocina.cl/r", "https://127.0.0.1/r", "https://localhost/r", "https://u:p@api.cl/r"):
        answer = runtime.api("POST", "/bots/", bot(functions={"reservar": {"url": url}}))

        assert (answer.status, answer.error["field"]) == (400, "functions.reservar.url"), url
        assert url not in answer.body.decode()
    made = runtime.made("/bots/", bot())
    changed = {"functions": {"reservar": {"url": "https://10.0.0.1/r"}}}
    assert runtime.api("PUT", f"/bots/{made['id']}", changed).status == 400
