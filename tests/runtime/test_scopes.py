"""What a token may do: its scopes, the clients that it is bound to, until when, and when it was last used."""

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any
from urllib.parse import quote

import pytest

from tests.runtime.test_api import RECONCILER, a_bot, declared
from tests.runtime_process import Answer, Line, Runtime, new_number
from tests.sandbox_process import Sandbox, wait_until

ALL = ("--scope", "read", "--scope", "messages")
WORDS = "Mi hijo es alérgico al maní"


def made(runtime: Runtime, name: str, *options: str) -> str:
    """A token with these options of `token create`."""
    done = runtime.command("token", "create", name, *options)
    assert done.code == 0, done.err
    return done.out.strip()


def operations(runtime: Runtime) -> list[tuple[str, str]]:
    """Method and path of everything that the service describes."""
    return [(method, re.sub(r"{\w+}", "1", path)) for method, path in described(runtime)]


def described(runtime: Runtime) -> list[tuple[str, str]]:
    """The same, with the paths' parameters in braces."""
    paths = runtime.api("GET", "/openapi.json").json["paths"]
    return [(method.upper(), path) for path, found in paths.items() for method in found]


def dead(runtime: Runtime, line: Callable[..., Line], sandbox: Sandbox) -> Line:
    """A bot with a message that could not be answered."""
    shop = line()
    sandbox.faults({"kind": "status", "status": 400, "provider": "openai", "path": "/v1/responses"})
    shop.write(WORDS)
    sandbox.faults()
    wait_until(lambda: bool(letters(runtime, shop)), what="a dead letter")
    return shop


def letters(runtime: Runtime, shop: Line, token: str | None = None) -> Any:
    """The dead letters of a bot, as a token sees them."""
    path = f"/dead-letters/?client={shop.bot['id']}"
    return (runtime.api("GET", path) if token is None else runtime.api("GET", path, token=token)).json


def test_a_metrics_token_reads_the_metrics_and_nothing_else(runtime: Runtime) -> None:
    token = made(runtime, "prometheus", "--scope", "metrics")
    assert runtime.api("GET", "/metrics", token=token).status == 200
    refused = {(method, path): runtime.api(method, path, {}, token).status for method, path in operations(runtime)}
    assert set(refused.values()) == {403}, refused


def test_a_read_token_changes_nothing(runtime: Runtime) -> None:
    token = made(runtime, "ci-plan", "--scope", "read")
    assert runtime.api("GET", "/metrics", token=token).status == 200
    for method, path in operations(runtime):
        if method != "GET":
            assert runtime.api(method, path, {}, token).status == 403, (method, path)
    assert "'ci-plan' does not have the scope write" in runtime.api("POST", "/bots/", {}, token).error["message"]


@pytest.mark.parametrize("scopes", [(), ("read",), ("write",)])
def test_what_people_wrote_is_not_read_without_the_scope_for_it(
    runtime: Runtime, line: Callable[..., Line], sandbox: Sandbox, scopes: tuple[str, ...]
) -> None:
    shop = dead(runtime, line, sandbox)
    name = f"curious-{len(scopes)}{''.join(scopes)}"
    token = made(runtime, name, *(word for scope in scopes for word in ("--scope", scope)))
    [letter] = letters(runtime, shop, token)
    assert [message["body"] for message in letter["messages"]] == [None]
    assert letter["messages"][0]["sender"] == "whatsapp:+56912345678"
    pages = [runtime.api("GET", path, token=token) for method, path in operations(runtime) if method == "GET"]
    assert WORDS.encode() not in b"".join(page.body for page in pages)
    assert letters(runtime, shop) == [letter]


def test_a_stolen_write_token_reads_no_message_under_any_id_and_sends_to_no_list(
    runtime: Runtime, line: Callable[..., Line], sandbox: Sandbox
) -> None:
    shop = dead(runtime, line, sandbox)
    stolen = made(runtime, "stolen", "--scope", "write")
    conversations = runtime.api("GET", f"/conversations/?client={shop.bot['id']}", token=made(runtime, "owner", *ALL))
    ids = {
        *(str(letter["id"]) for letter in letters(runtime, shop)),
        *(str(one["id"]) for one in conversations.json),
        shop.bot["id"],
        "whatsapp:+56912345678",
    }
    assert len(ids) >= 3
    for method, path in described(runtime):
        for one in ids if method == "GET" else ():
            answer = runtime.api("GET", re.sub(r"{\w+}", quote(one, safe=""), path), token=stolen)
            assert WORDS.encode() not in answer.body, (path, one)
    one = f"/conversations/{conversations.json[0]['id']}"
    for path, body in (("/campaigns/", {}), (f"{one}/messages", {"text": "Soy yo"}), (f"{one}/take", {})):
        assert runtime.api("POST", path, body, stolen).status == 403, path


def test_what_people_wrote_is_read_with_the_scope_messages(
    runtime: Runtime, line: Callable[..., Line], sandbox: Sandbox
) -> None:
    shop = dead(runtime, line, sandbox)
    token = made(runtime, "support", "--scope", "messages")
    [letter] = letters(runtime, shop, token)
    assert [message["body"] for message in letter["messages"]] == [WORDS]
    assert runtime.api("POST", f"/dead-letters/{letter['id']}/retry", token=token).status == 403
    both = made(runtime, "support-chief", "--scope", "messages", "--scope", "write")
    assert letters(runtime, shop, both)[0]["messages"][0]["body"] == WORDS
    assert runtime.api("DELETE", f"/dead-letters/{letter['id']}", token=both).status == 204


def test_a_bound_token_sees_only_its_clients_in_lists(
    runtime: Runtime, line: Callable[..., Line], sandbox: Sandbox
) -> None:
    ours, theirs = declared(runtime, "cafe-uno"), declared(runtime, "cafe-dos")
    assistant = a_declared_assistant(runtime, "cafe-uno")
    a_declared_assistant(runtime, "cafe-dos")
    shop = dead(runtime, line, sandbox)
    token = made(runtime, "cafe", "--scope", "write", "--scope", "messages", "--client", "cafe-uno")
    assert [bot["id"] for bot in runtime.api("GET", "/bots/", token=token).json] == [ours["id"]]
    assert [found["id"] for found in runtime.api("GET", "/assistants/?limit=5", token=token).json] == [assistant]
    assert runtime.api("GET", "/dead-letters/", token=token).json == []
    assert letters(runtime, shop, token) == []
    hand = made(runtime, "hand", "--scope", "messages", "--client", "cafe-uno", "--client", str(shop.bot["id"]))
    assert [found["client"] for found in runtime.api("GET", "/dead-letters/", token=hand).json] == [shop.bot["id"]]
    assert {bot["id"] for bot in runtime.api("GET", "/bots/", token=hand).json} == {ours["id"], shop.bot["id"]}
    assert theirs["id"] not in runtime.api("GET", "/bots/", token=hand).body.decode()


def a_declared_assistant(runtime: Runtime, client: str) -> str:
    """Makes a client's assistant as the reconciler does; gives its id."""
    body = {"name": "A", "instructions": "I", "model": "gpt-6-luna", "client": client, "managed_by": "x.yaml"}
    answer = runtime.api("PUT", f"/assistants/assistant-of-{client}", body, **RECONCILER)
    assert answer.status in (200, 201), answer.body
    return f"assistant-of-{client}"


def test_a_bound_token_finds_nothing_of_other_clients(
    runtime: Runtime, line: Callable[..., Line], sandbox: Sandbox
) -> None:
    declared(runtime, "te-uno")
    other = declared(runtime, "te-dos")
    shop = dead(runtime, line, sandbox)
    [letter] = letters(runtime, shop)
    token = made(runtime, "te", "--scope", "write", "--client", "te-uno")

    def status(method: str, path: str, document: object = None) -> int:
        return runtime.api(method, path, document, token).status

    assert status("GET", f"/bots/{other['id']}") == 404
    assert status("PUT", f"/bots/{other['id']}?override=true", {"name": "x"}) == 404
    assert status("DELETE", f"/bots/{other['id']}?override=true") == 404
    assert status("POST", f"/dead-letters/{letter['id']}/retry") == 404
    assert status("DELETE", f"/dead-letters/{letter['id']}") == 404
    message = {"to": "+56912345678", "body": "Hola"}
    assert status("POST", "/messages/", message) == 403
    assert status("POST", "/messages/", message | {"bot_id": other["id"]}) == 403
    assert status("POST", "/messages/", message | {"from": other["twilio_phone_number"]}) == 403


def test_a_bound_token_changes_its_own_client_and_nothing_that_reaches_beyond(runtime: Runtime) -> None:
    bot = declared(runtime, "mate-uno")
    token = made(runtime, "mate", "--scope", "write", "--client", "mate-uno")
    path = f"/bots/{bot['id']}?override=true"
    assert runtime.api("PUT", path, {"instructions": "otras", "state": "paused"}, token).status == 200
    beyond: dict[str, object] = {
        "twilio_phone_number": new_number(),
        "assistant_id": "assistant-of-another",
        "functions": {"f": {"url": "https://x.cl", "secret_env": "OTHER_SECRET"}},
        "auth_token_env": "OTHER_TOKEN",
        "account_sid": f"AC{'0' * 32}",
    }
    for name, value in beyond.items():
        answer = runtime.api("PUT", path, {name: value}, token)
        assert (answer.status, answer.error.get("field")) == (403, name)
    body = {name: bot[name] for name in ("name", "model", "instructions", "twilio_phone_number")}
    assert runtime.api("PUT", path, body, token, **RECONCILER).status == 403


def test_a_bound_token_reaches_nothing_of_the_installation(runtime: Runtime) -> None:
    token = made(runtime, "corto", "--scope", "write", "--scope", "messages", "--client", "corto")
    own = ("/bots/1", "/assistants/1", "/dead-letters/1", "/dead-letters/1/retry", "/messages/", "/messages/1")
    own += ("/openapi.json", "/replays/")
    for method, path in [*operations(runtime), ("GET", "/metrics")]:
        answer: Answer = runtime.api(method, path, {}, token)
        if (
            path not in own
            and not path.startswith("/conversations/1")
            and (method, path.rstrip("/")) not in [("GET", f"/{name}") for name in LISTS]
        ):
            assert answer.status == 403, (method, path, answer.body)
            said = answer.error["message"]
            missing = any(f"does not have the scope {scope}" in said for scope in ("campaigns", "privacy"))
            assert "bound to corto" in said or missing


LISTS = ("bots", "assistants", "conversations", "dead-letters", "opt-outs")


def test_a_token_for_a_client_that_no_bot_belongs_to_is_made_with_a_warning(runtime: Runtime) -> None:
    a = declared(runtime, "conocido")
    done = runtime.command("token", "create", "typo", "--client", "conosido", "--client", str(a["id"]))
    assert (done.code, "No bot belongs to conosido so far" in done.err) == (0, True)
    assert "only for conosido, conocido" in done.err


def test_an_expired_token_is_refused_and_says_since_when(runtime: Runtime) -> None:
    token = made(runtime, "temporal", "--days", "1")
    assert runtime.api("GET", "/bots/", token=token).status == 200
    with closing(sqlite3.connect(runtime.folder / "runtime.db", isolation_level=None)) as store:
        store.execute("UPDATE tokens SET expires_at = '2026-01-01T00:00:00.000Z' WHERE name = 'temporal'")
    answer = runtime.api("GET", "/bots/", token=token)
    assert (answer.status, "'temporal' expired at 2026-01-01" in answer.error["message"]) == (401, True)
    [line] = [line for line in runtime.command("token", "list").out.splitlines() if line.startswith("temporal\t")]
    assert "\texpired\t" in line


def test_the_last_use_is_recorded_and_not_with_each_request(runtime: Runtime) -> None:
    token = made(runtime, "usado")

    def last_use() -> str | None:
        with closing(sqlite3.connect(runtime.folder / "runtime.db")) as store:
            found: str | None = store.execute("SELECT last_used_at FROM tokens WHERE name = 'usado'").fetchone()[0]
            return found

    assert last_use() is None
    runtime.api("GET", "/bots/", token=token)
    first = last_use()
    assert first is not None
    for _ in range(5):
        runtime.api("GET", "/bots/", token=token)
    assert last_use() == first
    with closing(sqlite3.connect(runtime.folder / "runtime.db", isolation_level=None)) as store:
        store.execute("UPDATE tokens SET last_used_at = '2026-01-01T00:00:00.000Z' WHERE name = 'usado'")
    runtime.api("GET", "/bots/", token=token)
    assert (last_use() or "") >= first
    [line] = [line for line in runtime.command("token", "list").out.splitlines() if line.startswith("usado\t")]
    assert f"used {last_use()}" in line


def test_the_token_of_the_environment_reads_and_writes_and_not_what_people_wrote(
    runtime: Runtime, line: Callable[..., Line], sandbox: Sandbox
) -> None:
    shop = dead(runtime, line, sandbox)
    assert [message["body"] for message in letters(runtime, shop)[0]["messages"]] == [None]
    runtime.made("/bots/", a_bot())
