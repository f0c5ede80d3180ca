"""The management API: the guide's bodies, who may call it, and what it says about mistakes."""

import sqlite3
from collections.abc import Callable
from contextlib import closing

import pytest

from tests.runtime_process import API_TOKEN, Runtime, new_number

JSON = {"Content-Type": "application/json", "Authorization": f"Bearer {API_TOKEN}"}
RECONCILER = {"X_Managed_By": "reconcile"}


def a_bot(**fields: object) -> dict[str, object]:
    return {
        "name": "Bot",
        "twilio_phone_number": new_number(),
        "instructions": "Hola.",
        "model": "gpt-6-luna",
        **fields,
    }


def declared(runtime: Runtime, bot_id: str, **fields: object) -> dict[str, object]:
    """A bot as the reconciler makes it."""
    body = a_bot(client=bot_id, managed_by=f"clients.d/{bot_id}.yaml", **fields)
    answer = runtime.api("PUT", f"/bots/{bot_id}", body, **RECONCILER)
    assert answer.status == 201, answer.body
    made: dict[str, object] = answer.json
    return made


def test_the_guide_s_steps_work_word_for_word(runtime: Runtime) -> None:
    number = new_number()
    bot = runtime.made(
        "/bots/",
        {
            "name": "Bot Restaurante La Cocina",
            "instructions": "Bot para atención al cliente del restaurante",
            "model": "gpt-4o-mini",
            "twilio_phone_number": number,
            "assistant_id": "asst_abc123def456",
            "metadata": {
                "cliente": "Restaurante La Cocina",
                "industria": "Restaurantes",
                "fecha_creacion": "2025-10-22",
            },
        },
    )
    listed = runtime.api("GET", "/bots/").json
    assert [found["metadata"]["cliente"] for found in listed if found["twilio_phone_number"] == number] == [
        "Restaurante La Cocina"
    ]
    one = f"/bots/{bot['id']}"
    assert runtime.api("GET", one).json == bot
    changed = runtime.api("PUT", one, {"instructions": "Nuevas instrucciones actualizadas"}).json
    assert (changed["instructions"], changed["name"]) == ("Nuevas instrucciones actualizadas", bot["name"])
    assert runtime.api("PUT", one, {"assistant_id": "asst_nuevo123"}).json["assistant_id"] == "asst_nuevo123"
    assert runtime.api("DELETE", one).status == 204
    assert runtime.api("GET", one).status == 404


def test_an_assistant_is_made_changed_and_deleted(runtime: Runtime) -> None:
    body = {"name": "A", "instructions": "Hola.", "model": "gpt-4o-mini", "tools": []}
    made = runtime.made("/assistants/", body)
    assert (made["engine"], made["version"]) == ("responses", 1)
    one = f"/assistants/{made['id']}"
    assert runtime.api("PUT", one, {"model": "gpt-6-luna"}).json["version"] == 2
    assert runtime.api("GET", one).json["instructions"] == "Hola."
    assert made["id"] in [found["id"] for found in runtime.api("GET", "/assistants/").json]
    assert runtime.api("DELETE", one).status == 204


def test_a_list_is_paged_by_id(runtime: Runtime) -> None:
    for _ in range(3):
        runtime.made("/bots/", a_bot())
    whole = [bot["id"] for bot in runtime.api("GET", "/bots/").json]
    assert whole == sorted(whole)
    first = [bot["id"] for bot in runtime.api("GET", "/bots/?limit=2").json]
    rest = [bot["id"] for bot in runtime.api("GET", f"/bots/?limit=1000&after={first[-1]}").json]
    assert first + rest == whole


def test_null_takes_a_field_away(runtime: Runtime) -> None:
    bot = runtime.made("/bots/", a_bot(fallback_message="Disculpa."))
    assert runtime.api("PUT", f"/bots/{bot['id']}", {"fallback_message": None}).json["fallback_message"] is None


def test_no_token_is_401(runtime: Runtime) -> None:
    for path in ("/bots/", "/assistants/", "/openapi.json", "/reconcile/applied", "/nothing"):
        answer = runtime.api("GET", path, token=None)
        assert (answer.status, answer.error["code"]) == (401, "unauthorized")
        assert answer.headers["www-authenticate"] == "Bearer"


def test_a_wrong_token_is_401(runtime: Runtime) -> None:
    assert runtime.api("GET", "/bots/", token="wrong").status == 401


def test_health_and_readiness_need_no_token(runtime: Runtime) -> None:
    assert runtime.api("GET", "/health", token=None).json == {"status": "ok"}
    assert runtime.api("GET", "/ready", token=None).json == {"status": "ready"}


def test_a_runtime_without_credentials_is_not_ready_and_says_why(runtime_factory: Callable[..., Runtime]) -> None:
    answer = runtime_factory(OPENAI_API_KEY="", TWILIO_AUTH_TOKEN="").api("GET", "/ready", token=None)
    assert answer.status == 503
    assert answer.json["problems"] == ["OPENAI_API_KEY is not set", "TWILIO_AUTH_TOKEN is not set"]


@pytest.mark.parametrize(
    ("body", "code", "field", "words"),
    [
        ({"twilio_fone_number": "+15550000001"}, "unknown_field", "twilio_fone_number", "twilio_phone_number"),
        ({"name": None}, "invalid_field", "name", "string"),
        ({"twilio_phone_number": "15550000001"}, "invalid_field", "twilio_phone_number", '"+15551234567"'),
        ({"twilio_phone_number": "whatsapp:+15550000001"}, "invalid_field", "twilio_phone_number", "E.164"),
        ({"twilio_phone_number": 15550000001}, "invalid_field", "twilio_phone_number", "string"),
        ({"state": "on"}, "invalid_field", "state", "'active' or 'paused'"),
        ({"metadata": {"a": 1}}, "invalid_field", "metadata.a", "string"),
        ({"managed_by": "clients.d/x.yaml"}, "unknown_field", "managed_by", "managed_by"),
        ({"assistant_id": "no-such"}, "invalid_field", "assistant_id", "GET /assistants/"),
        ({"model": None}, "missing_field", "model", "assistant_id"),
        (
            {"functions": {"f": {"url": "https://x.cl", "secret_env": "OPENAI_API_KEY"}}},
            "invalid_field",
            "functions.f.secret_env",
            "OPENAI_API_KEY is the installation's own credential",
        ),
        ({"auth_token_env": "DATABASE_URL"}, "invalid_field", "auth_token_env", "not a client's secret"),
        ({"functions": {"f": {"uri": "https://x"}}}, "unknown_field", "functions.f.uri", "uri"),
    ],
)
def test_a_wrong_field_is_400_and_named(
    runtime: Runtime, body: dict[str, object], code: str, field: str, words: str
) -> None:
    answer = runtime.api("POST", "/bots/", a_bot(**body))
    assert (answer.status, answer.error["code"], answer.error["field"]) == (400, code, field)
    assert words in answer.error["message"]


def test_an_endpoint_of_a_bot_has_the_keys_that_an_older_replica_knows_and_those_that_are_used(
    runtime: Runtime,
) -> None:
    plain = {"url": "https://api.lacocina.cl/f"}
    used = {**plain, "authorization_env": "HOOK_AUTHORIZATION", "follow_redirects": True, "user": "masked"}
    first = {"secret_env": None, "timeout_seconds": 10.0}
    made = runtime.made("/bots/", a_bot(functions={"f": {**plain, "follow_redirects": False}, "g": used}))
    assert made["functions"] == {"f": {**plain, **first}, "g": {**used, **first}}


@pytest.mark.parametrize(
    ("parameters", "field", "words"),
    [
        ("texto", "", "not an object"),
        ({"type": "array", "items": {}}, "", '"type" must be "object"'),
        ({"type": "object", "properties": {}, "anyOf": [{}]}, ".anyOf", "at the top"),
        ({"type": "object", "properties": {"dias": {"type": ["string", "array"]}}}, ".properties.dias", "items"),
        ({"type": "object", "properties": {"a": {"$ref": "#/$defs/b"}}}, ".properties.a.$ref", "nothing"),
        ({"type": "object", "properties": {"a": {"type": "texto"}}}, ".properties.a.type", "not valid JSON Schema"),
    ],
)
def test_parameters_that_openai_refuses_are_400_and_their_place_is_named(
    runtime: Runtime, parameters: object, field: str, words: str
) -> None:
    tools = [{"type": "web_search"}, {"type": "function", "name": "f", "parameters": parameters}]
    answer = runtime.api(
        "POST", "/assistants/", {"name": "A", "instructions": "I", "model": "gpt-6-luna", "tools": tools}
    )
    assert (answer.status, answer.error["code"]) == (400, "invalid_field")
    assert answer.error["field"] == f"tools.1.parameters{field}"
    assert words in answer.error["message"]


def test_a_function_called_like_a_built_in_tool_is_400(runtime: Runtime) -> None:
    tools = [{"type": "function", "name": "no_reply", "parameters": {"type": "object", "properties": {}}}]
    body = {"name": "A", "instructions": "I", "model": "gpt-6-luna"}
    made = runtime.made("/assistants/", body)
    functions = {"no_reply": {"url": "https://api.lacocina.cl/f"}}
    for answer, field in (
        (runtime.api("POST", "/assistants/", body | {"tools": tools}), "tools.0.name"),
        (runtime.api("PUT", f"/assistants/{made['id']}", {"tools": tools}), "tools.0.name"),
        (runtime.api("POST", "/bots/", a_bot(functions=functions)), "functions"),
    ):
        assert (answer.status, answer.error["field"]) == (400, field)
        said = f'{field}: "no_reply" is the name of a built-in tool'
        assert answer.error["message"].startswith(said), answer.error
        assert answer.error["message"].endswith("Give the function another name.")


def test_a_missing_field_is_400_and_named(runtime: Runtime) -> None:
    answer = runtime.api("POST", "/bots/", {"name": "Bot"})
    assert (answer.status, answer.error["field"]) == (400, "twilio_phone_number")


def test_malformed_json_is_400_and_says_where(runtime: Runtime) -> None:
    answer = runtime.request("POST", "/bots/", b'{\n  "name": "Bot"\n  "model": "x"}', JSON)
    assert (answer.status, answer.error["code"]) == (400, "invalid_json")
    assert "line 3, column 3" in answer.error["message"]


@pytest.mark.parametrize("body", [b"[]", b'"x"', b"", b"\xff", b"[" * 100_000])
def test_what_is_no_json_object_is_400(runtime: Runtime, body: bytes) -> None:
    answer = runtime.request("POST", "/bots/", body, JSON)
    assert (answer.status, answer.error["code"]) == (400, "invalid_json")


def test_a_form_instead_of_json_is_415(runtime: Runtime) -> None:
    headers = JSON | {"Content-Type": "application/x-www-form-urlencoded"}
    assert runtime.request("POST", "/bots/", b"name=Bot", headers).status == 415


def test_an_oversized_body_is_413(runtime: Runtime) -> None:
    answer = runtime.request("POST", "/bots/", b'{"name": "' + b"a" * 1_100_000 + b'"}', JSON)
    assert (answer.status, answer.error["code"]) == (413, "too_large")


def test_an_unknown_path_and_a_wrong_method_say_what_is_right(runtime: Runtime) -> None:
    assert "/bots/?" in runtime.api("GET", "/bots").error["message"]
    answer = runtime.api("PATCH", "/bots/", {})
    assert (answer.status, "GET, HEAD, POST" in answer.error["message"]) == (405, True)


def test_an_unknown_query_parameter_is_400(runtime: Runtime) -> None:
    assert "limit" in runtime.api("GET", "/bots/?limt=3").error["message"]
    assert runtime.api("GET", "/bots/?limit=0").status == 400


def test_a_number_belongs_to_one_bot(runtime: Runtime) -> None:
    bot = runtime.made("/bots/", a_bot())
    answer = runtime.api("POST", "/bots/", a_bot(twilio_phone_number=bot["twilio_phone_number"]))
    assert (answer.status, answer.error["code"], answer.error["bot_id"]) == (409, "number_taken", bot["id"])


def test_an_assistant_that_answers_for_a_bot_is_not_deleted(runtime: Runtime) -> None:
    assistant = runtime.made("/assistants/", {"name": "A", "instructions": "I", "model": "gpt-6-luna"})
    bot = runtime.made("/bots/", a_bot(assistant_id=assistant["id"]))
    answer = runtime.api("DELETE", f"/assistants/{assistant['id']}")
    assert (answer.status, bot["id"] in answer.error["message"]) == (409, True)


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_a_bot_declared_in_git_names_its_manifest(runtime: Runtime, method: str) -> None:
    bot = declared(runtime, f"client-{method.lower()}")
    body = {"instructions": "otras"} if method == "PUT" else None
    answer = runtime.api(method, f"/bots/{bot['id']}", body)
    assert (answer.status, answer.error["code"]) == (409, "managed")
    assert f"clients.d/{bot['id']}.yaml" in answer.error["message"]


def test_an_override_changes_a_declared_bot(runtime: Runtime) -> None:
    bot = declared(runtime, "overridden")
    answer = runtime.api("PUT", f"/bots/{bot['id']}?override=true", {"instructions": "otras"})
    assert (answer.status, answer.json["instructions"]) == (200, "otras")
    assert answer.json["managed_by"] == "clients.d/overridden.yaml"


def test_every_change_by_hand_is_noted_with_who_made_it_and_what_it_overrode(runtime: Runtime) -> None:
    bot = declared(runtime, "noted")
    path = f"/bots/{bot['id']}?override=true"
    runtime.api("PUT", path, {"instructions": "otras", "name": "Otro"})
    runtime.api("PUT", path, {})
    runtime.api("DELETE", path)

    with closing(sqlite3.connect(runtime.folder / "runtime.db")) as store:
        query = "SELECT action, actor, overridden, fields FROM audit WHERE kind = 'bot' AND object_id = ? ORDER BY id"
        noted = store.execute(query, (bot["id"],)).fetchall()
    assert [(action, fields) for action, _, _, fields in noted] == [
        ("declare", "[]"),
        ("change", '["instructions","name"]'),
        ("change", "[]"),
        ("delete", "[]"),
    ]
    by_hand = {(actor, overridden) for action, actor, overridden, _ in noted if action != "declare"}
    assert by_hand == {("API_TOKEN", "clients.d/noted.yaml")}


def test_what_is_sent_as_the_reconciler_is_noted_too(runtime: Runtime) -> None:
    bot = declared(runtime, "sent-as-reconciler")
    path, number = f"/bots/{bot['id']}", new_number()
    body = {name: bot[name] for name in ("name", "model", "client", "managed_by", "twilio_phone_number")}
    runtime.api("PUT", path, body | {"instructions": "otras"}, **RECONCILER)
    runtime.api("PUT", "/reconcile/numbers", {"numbers": {bot["id"]: number}})
    runtime.api("PUT", "/reconcile/numbers", {"numbers": {bot["id"]: number}})
    runtime.api("DELETE", path, **RECONCILER)

    with closing(sqlite3.connect(runtime.folder / "runtime.db")) as store:
        query = "SELECT action, actor, overridden, fields FROM audit WHERE kind = 'bot' AND object_id = ? ORDER BY id"
        noted = store.execute(query, (bot["id"],)).fetchall()
    manifest = "clients.d/sent-as-reconciler.yaml"
    assert noted == [
        ("declare", "API_TOKEN", None, "[]"),
        ("declare", "API_TOKEN", manifest, '["instructions"]'),
        ("declare", "API_TOKEN", manifest, '["twilio_phone_number"]'),
        ("delete", "API_TOKEN", manifest, "[]"),
    ]


def test_the_reconciler_replaces_a_declared_bot_whole(runtime: Runtime) -> None:
    bot = declared(runtime, "replaced", fallback_message="Disculpa.")
    body = a_bot(client="replaced", managed_by="clients.d/replaced.yaml")
    answer = runtime.api("PUT", "/bots/replaced", body, **RECONCILER)
    assert (answer.status, answer.json["fallback_message"]) == (200, None)
    assert answer.json["version"] == int(str(bot["version"])) + 1


def test_openapi_describes_every_path(runtime: Runtime) -> None:
    document = runtime.api("GET", "/openapi.json").json
    wanted = {"/bots/", "/bots/{id}", "/assistants/", "/assistants/{id}", "/messages/", "/users/{user}"}
    assert wanted <= set(document["paths"])
    body = document["paths"]["/bots/"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body["additionalProperties"] is False
    assert set(body["required"]) == {"name", "twilio_phone_number"}


def test_the_start_of_a_run_that_is_sent_twice_is_recorded_once(runtime: Runtime) -> None:
    run = {"id": "corrida", "started_at": "2026-11-22T12:00:00Z", "actor": "ci", "digest": "abc"}
    first, second = (runtime.api("POST", "/reconcile/runs", run) for _ in range(2))
    assert (first.status, second.status, first.json) == (201, 200, second.json)
    assert run.items() <= first.json.items()
    other = runtime.api("POST", "/reconcile/runs", {**run, "actor": "ana"})
    assert (other.status, other.error["code"], other.error["field"]) == (409, "run_differs", "actor")
    listed = runtime.api("GET", "/reconcile/runs").json
    assert [found["actor"] for found in listed if found["id"] == "corrida"] == ["ci"]
