"""What a bot's policy has an effect on, and who may write it: through the API, from the reconciler, behind our back."""

import json
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from runtime.store.client.snapshot import read_snapshot
from runtime.store.client.writer import open_writer
from runtime.store.records import BotRecord
from tests.runtime.stores import drop_database, make_database
from tests.runtime_process import Json, Line, Runtime, new_number, open_line
from tests.sandbox_process import Sandbox

RECONCILER = {"X_Managed_By": "reconcile"}


def policy(**memory: object) -> Json:
    return {"version": 1, "memory": memory}


def sent(shop: Line) -> int:
    """How many items of the conversation the model was sent with the last message, that message included."""
    said = shop.sandbox.calls("openai", "POST", "/v1/responses")[-1]["body"]["input"]
    return sum(item["role"] != "developer" for item in said)


def after_messages(shop: Line, messages: int, text: str = "Hola") -> int:
    """Items sent with the last of `messages` messages. Each adds two: itself and its answer."""
    for _ in range(messages):
        shop.ask(text)
    return sent(shop)


@pytest.fixture(
    scope="module",
    params=["0", "0.05", pytest.param("postgresql", marks=pytest.mark.postgres)],
    ids=["begun with its message", "begun after a pause", "on postgresql"],
)
def settings(request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    """The ways in which a turn begins."""
    if request.param != "postgresql":
        yield {"DEBOUNCE_SECONDS": request.param}
        return
    url = make_database()
    yield {"DEBOUNCE_SECONDS": "0", "DATABASE_URL": url}
    drop_database(url)


def test_a_client_has_as_many_items_sent_along_as_its_policy_says(
    runtime_factory: Callable[..., Runtime], sandbox: Sandbox, settings: dict[str, str]
) -> None:
    runtime = runtime_factory(MEMORY_ITEMS="8", **settings)
    forgetful = open_line(runtime, sandbox, policy=policy(items=4))
    usual = open_line(runtime, sandbox)
    retentive = open_line(runtime, sandbox, policy=policy(items=10))
    assert [after_messages(shop, 6) for shop in (forgetful, usual, retentive)] == [4 + 1, 8 + 1, 10 + 1]


def test_a_client_has_as_many_tokens_sent_along_as_its_policy_says(line: Callable[..., Line]) -> None:
    brief, usual = line(policy=policy(tokens=700)), line(policy=policy(items=60))
    text = "x" * 1000  # 250 tokens, and the answer repeats them
    assert [after_messages(shop, 4, text) for shop in (brief, usual)] == [1 * 2 + 1, 3 * 2 + 1]


def test_a_change_counts_from_the_next_message_on(line: Callable[..., Line], runtime: Runtime) -> None:
    shop = line()
    assert after_messages(shop, 3) == 5
    with closing(open_writer(runtime.environment["DATABASE_URL"])) as writer:
        [bot] = [bot for bot in read_snapshot(runtime.environment["DATABASE_URL"]).bots if bot.id == shop.bot["id"]]
        writer.put_bot(BotRecord(**{**_fields(bot), "policy": policy(items=2)}))
    assert after_messages(shop, 1) == 3
    assert runtime.api("PUT", f"/bots/{shop.bot['id']}", {"policy": {}}).json["policy"] == {}
    assert after_messages(shop, 1) == 9


def _fields(bot: BotRecord) -> Json:
    return {name: getattr(bot, name) for name in BotRecord.__dataclass_fields__}


def test_what_a_newer_program_wrote_is_ignored_and_told_once(
    runtime_factory: Callable[..., Runtime], sandbox: Sandbox
) -> None:
    runtime = runtime_factory()
    shop = open_line(runtime, sandbox)
    number = new_number()
    newer = {"version": 1, "memory": {"items": 2, "summary": True}, "later": {"lun": []}}
    body = {"name": "B", "twilio_phone_number": number, "instructions": "I", "model": "gpt-6-luna", "policy": newer}
    declared = runtime.api("PUT", "/bots/nuevo", body | {"client": "nuevo"}, **RECONCILER)
    assert (declared.status, declared.json["policy"]) == (201, newer)
    webhook = f"{runtime.url}/webhook/whatsapp"
    sandbox.register(number, webhook={"callback_url": webhook, "status_callback_url": f"{webhook}/status"})
    line = Line(runtime, sandbox, declared.json)
    assert after_messages(line, 3) == 2 + 1
    # Another bot's change clears the cache.
    runtime.api("PUT", f"/bots/{shop.bot['id']}", {"name": "Otro"})
    assert after_messages(line, 1) == 2 + 1
    told = [entry for entry in runtime.log() if entry["event"] == "policy_keys_ignored"]
    assert [(entry["client"], entry["keys"]) for entry in told] == [("nuevo", ["later", "memory.summary"])]
    changed = runtime.api("PUT", "/bots/nuevo", {"name": "Otro"})
    assert changed.json["policy"] == newer, "a change by hand of something else keeps what is unknown here"


@pytest.mark.parametrize(
    ("policy", "field", "said"),
    [
        ({"memory": {"itms": 3}}, "policy.memory.itms", "There is no field itms."),
        ({"memory": {"items": 0}}, "policy.memory.items", "greater than or equal to 1"),
        ({"later": {}}, "policy.later", "There is no field later."),
        ({"version": 2}, "policy.version", "should be 1"),
        ({"memory": 60}, "policy.memory", "valid dictionary"),
    ],
)
def test_a_policy_by_hand_is_held_to_what_is_known(runtime: Runtime, policy: Json, field: str, said: str) -> None:
    body = {"name": "B", "twilio_phone_number": new_number(), "instructions": "I", "model": "m", "policy": policy}
    answer = runtime.api("POST", "/bots/", body)
    assert (answer.status, answer.error["field"]) == (400, field)
    assert said in answer.error["message"]


def test_a_declaration_of_a_known_key_that_does_not_fit_is_refused(runtime: Runtime) -> None:
    body = {"name": "B", "twilio_phone_number": new_number(), "policy": policy(items=0)}
    answer = runtime.api("PUT", "/bots/malo", body, **RECONCILER)
    assert (answer.status, answer.error["field"]) == (400, "policy")
    assert "memory.items: Input should be greater than or equal to 1" in answer.error["message"]


def test_a_policy_that_git_declares_is_not_changed_by_hand_unless_it_is_overridden(runtime: Runtime) -> None:
    body = {"name": "B", "twilio_phone_number": new_number(), "instructions": "I", "model": "m"}
    git = {"policy": policy(items=20), "client": "de-git", "managed_by": "clients.d/de-git.yaml"}
    runtime.api("PUT", "/bots/de-git", body | git, **RECONCILER)
    refused = runtime.api("PUT", "/bots/de-git", {"policy": policy(items=5)})
    assert (refused.status, refused.error["manifest"]) == (409, "clients.d/de-git.yaml")
    assert runtime.api("GET", "/bots/de-git").json["policy"] == policy(items=20)
    overridden = runtime.api("PUT", "/bots/de-git?override=true", {"policy": policy(items=5)})
    assert overridden.json["policy"] == policy(items=5)
    [edit] = [edit for edit in runtime.api("GET", "/reconcile/edits").json if edit["object_id"] == "de-git"]
    assert edit["fields"] == ["policy"]


def test_what_was_read_can_be_put_back(runtime: Runtime) -> None:
    body = {"name": "B", "twilio_phone_number": new_number(), "instructions": "I", "model": "m"}
    made = runtime.made("/bots/", body | {"policy": {"memory": {"items": 20}}})
    assert made["policy"] == policy(items=20)
    again = runtime.api("PUT", f"/bots/{made['id']}", {"policy": made["policy"]})
    assert again.json["policy"] == policy(items=20)


def test_the_description_names_its_keys(runtime: Runtime) -> None:
    described = json.dumps(runtime.api("GET", "/openapi.json").json)
    assert "the setting MEMORY_ITEMS without it" in described
