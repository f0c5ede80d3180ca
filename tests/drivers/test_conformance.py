"""Both drivers: what was acknowledged is answered once, in order, whatever happens to the processes."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from runtime.store.database.engine import open_engine
from runtime.store.messages.conversations import set_state
from tests.drivers.fleet import Fleet, answers, fleet_on
from tests.runtime_process import inbound_fields
from tests.sandbox_process import Sandbox, wait_until

STORES = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]
SEND = {"provider": "twilio", "method": "POST", "path": "/2010-04-01/Accounts/*/Messages.json"}
MODEL = {"provider": "openai", "method": "POST", "path": "/v1/responses"}
SORRY = "Disculpa, no pudimos responder."


@pytest.fixture(scope="module", params=STORES)
def calm(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, sandbox_process: Sandbox
) -> Iterator[Fleet]:
    """A fleet that these tests share, none of which ends a process."""
    with fleet_on(request.param, tmp_path_factory.mktemp("calm"), sandbox_process, TURN_DEADLINE_SECONDS="6") as fleet:
        yield fleet


@pytest.fixture(params=STORES)
def fleet(request: pytest.FixtureRequest, tmp_path: Path, sandbox: Sandbox) -> Iterator[Fleet]:
    """A fleet of the test's own."""
    with fleet_on(request.param, tmp_path, sandbox) as fleet:
        yield fleet


def test_deliveries_of_one_message_at_once_are_answered_once(calm: Fleet, sandbox: Sandbox) -> None:
    shop = calm.open_line()
    sid = inbound_fields("")["MessageSid"]
    with ThreadPoolExecutor(6) as pool:
        made = pool.map(lambda replica: calm.deliver(shop, "una vez", replica, MessageSid=sid), range(6))
        assert [answer.status for answer in made] == [200] * 6
    answers(shop, 1)
    calm.deliver(shop, "otra cosa")
    assert ["una vez" in body for body in answers(shop, 2)] == [True, False]


def test_a_message_delivered_again_after_its_answer_is_not_answered_again(calm: Fleet, sandbox: Sandbox) -> None:
    shop = calm.open_line()
    sid = inbound_fields("")["MessageSid"]
    calm.deliver(shop, "una vez", MessageSid=sid)
    answers(shop, 1)
    assert calm.deliver(shop, "una vez", 1, MessageSid=sid).status == 200
    calm.deliver(shop, "otra cosa")
    assert ["una vez" in body for body in answers(shop, 2)] == [True, False]


def test_messages_of_a_conversation_are_answered_in_the_order_they_came(calm: Fleet, sandbox: Sandbox) -> None:
    shop = calm.open_line()
    words = ["m0 piensa 1s", *(f"m{number}" for number in range(1, 8))]
    for replica, word in enumerate(words):
        assert calm.deliver(shop, word, replica).status == 200
    wait_until(lambda: any("m7" in entry["body"] for entry in shop.outbound()), what="the last answer")
    said = " ".join(entry["body"] for entry in shop.outbound())
    assert [said.count(word) for word in words] == [1] * len(words)
    assert sorted(words, key=said.index) == words


def test_what_comes_while_an_answer_goes_out_is_answered_together_and_its_time_begins_after_it(
    calm: Fleet, sandbox: Sandbox
) -> None:
    shop = calm.open_line()
    sandbox.faults(shop.only(SEND | {"kind": "latency", "seconds": 2, "times": 1}))
    calm.deliver(shop, "uno")
    wait_until(lambda: sandbox.fired() == 1)
    for word in ("dos", "tres"):
        calm.deliver(shop, word)
    first, second = answers(shop, 2)
    assert ["uno" in first, "dos" in second, "tres" in second] == [True] * 3
    turns = calm.rows(f"SELECT id, starts, started_at FROM turns WHERE bot_id = '{shop.bot['id']}' ORDER BY id")
    sent = calm.rows(f"SELECT settled_at FROM outbox WHERE turn_id = {turns[0][0]}")
    assert [starts for _, starts, _ in turns] == [1, 1]
    assert turns[1][2] >= sent[0][0]


def test_a_slow_conversation_holds_up_no_other(calm: Fleet, sandbox: Sandbox) -> None:
    shop = calm.open_line()
    calm.deliver(shop, "piensa 18s", origin="+56911111111")
    calm.wait_for_turns(shop, 1)
    users = [f"+569222222{number:02}" for number in range(5)]
    for number, user in enumerate(users):
        calm.deliver(shop, "Hola", number, user)
    for user in users:
        assert len(answers(shop, 1, user)) == 1
    assert shop.outbound("+56911111111") == []


def test_a_model_that_fails_twice_is_asked_again_and_the_user_answered_once(calm: Fleet, sandbox: Sandbox) -> None:
    shop = calm.open_line()
    sandbox.faults(shop.only(MODEL | {"kind": "status", "status": 500, "times": 2}))
    calm.deliver(shop, "Hola")
    (body,) = answers(shop, 1)
    assert "Hola" in body


def test_a_turn_that_cannot_succeed_ends_in_one_apology_and_the_next_is_answered(calm: Fleet, sandbox: Sandbox) -> None:
    shop = calm.open_line(fallback_message=SORRY)
    sandbox.faults(shop.only(MODEL | {"kind": "status", "status": 400}))
    calm.deliver(shop, "Hola")
    assert answers(shop, 1) == [SORRY]
    sandbox.faults()
    calm.deliver(shop, "¿Y ahora?", 1)
    assert "¿Y ahora?" in answers(shop, 2)[1]


def saying(text: str) -> dict[str, Any]:
    """A fault: the model's next answer is this text."""
    content = [{"type": "output_text", "text": text, "annotations": []}]
    message = {"type": "message", "role": "assistant", "status": "completed", "content": content}
    body = {"object": "response", "status": "completed", "model": "gpt-6-luna", "output": [message]}
    return MODEL | {"kind": "status", "status": 200, "body": body, "times": 1}


@pytest.mark.parametrize("odd", ["\x00", "\ud83d"], ids=["NUL", "half a character"])
def test_a_character_that_nothing_can_carry_is_left_out_of_an_answer(calm: Fleet, sandbox: Sandbox, odd: str) -> None:
    shop = calm.open_line()
    sandbox.faults(shop.only(saying(f"Son{odd} las cinco.")))
    calm.deliver(shop, "¿Qué hora es?")
    assert answers(shop, 1) == ["Son las cinco."]
    calm.deliver(shop, "¿Seguro?")
    assert "turn 2" in answers(shop, 2)[1]


def test_an_answer_of_such_characters_only_is_none(calm: Fleet, sandbox: Sandbox) -> None:
    shop = calm.open_line(fallback_message=SORRY)
    sandbox.faults(shop.only(saying("\x00")))
    calm.deliver(shop, "Hola")
    assert answers(shop, 1) == [SORRY]


def test_a_character_that_nothing_can_carry_is_left_out_of_a_message(calm: Fleet, sandbox: Sandbox) -> None:
    shop = calm.open_line()
    assert calm.deliver(shop, "Hola\x00 ahí", ProfileName="A\x00na").status == 200
    assert "Hola ahí" in answers(shop, 1)[0]


TAPPED = {"ButtonText": "Sí, confirmo", "ButtonPayload": "si_42", "MessageType": "button"}


def test_a_message_is_kept_as_its_parts_and_as_the_text_that_a_replica_of_the_release_before_reads(
    calm: Fleet, sandbox: Sandbox
) -> None:
    shop = calm.open_line()
    calm.deliver(shop, "", ProfileName="Ana", **TAPPED)
    assert "Sí, confirmo" in answers(shop, 1)[0]
    ((content, body),) = calm.rows(f"SELECT content, body FROM inbox WHERE bot_id = '{shop.bot['id']}'")
    parts = [{"kind": "button_reply", "text": "Sí, confirmo", "id": "si_42"}]
    assert (json.loads(content), body) == ({"v": 1, "parts": parts, "profile_name": "Ana"}, "Sí, confirmo")


def test_a_message_that_a_replica_of_the_release_before_stored_is_answered(calm: Fleet, sandbox: Sandbox) -> None:
    shop = calm.open_line()
    calm.deliver(shop, "Hola")
    answers(shop, 1)
    calm.rows(
        "INSERT INTO inbox (account_sid, message_sid, bot_id, conversation_id, sender, body, params, state,"
        " received_at) SELECT account_sid, 'SM-' || bot_id, bot_id, conversation_id, sender, '[button]',"
        f" '{json.dumps(TAPPED)}', 'open', received_at FROM inbox WHERE bot_id = '{shop.bot['id']}' RETURNING id"
    )
    assert "Sí, confirmo" in answers(shop, 2)[1]


def test_a_conversation_that_a_person_has_is_not_answered_until_it_is_given_back(calm: Fleet, sandbox: Sandbox) -> None:
    shop = calm.open_line()
    calm.deliver(shop, "Hola")
    answers(shop, 1)
    ((conversation_id,),) = calm.rows(f"SELECT id FROM conversations WHERE bot_id = '{shop.bot['id']}'")
    engine = open_engine(calm.database_url)
    with engine.begin() as connection:
        assert set_state(connection, conversation_id, "human", was="assistant", by="ana", reason="asked")

    assert calm.deliver(shop, "¿Hay alguien?", 1).status == 200

    ended = f"SELECT state, reason FROM turns WHERE bot_id = '{shop.bot['id']}' ORDER BY id"
    wait_until(lambda: calm.rows(ended)[1:] == [("unanswered", "human")], what="the turn to end")
    kept = f"SELECT state FROM inbox WHERE bot_id = '{shop.bot['id']}' ORDER BY id"
    assert calm.rows(kept) == [("answered",), ("unanswered",)]

    with engine.begin() as connection:
        assert set_state(connection, conversation_id, "assistant", was="human", by="ana")
    engine.dispose()
    calm.deliver(shop, "¿Y ahora?")
    assert "¿Y ahora?" in answers(shop, 2)[1]


def test_a_person_who_takes_a_conversation_while_its_turn_is_tried_again_answers_instead(
    calm: Fleet, sandbox: Sandbox
) -> None:
    shop = calm.open_line()
    sandbox.faults(MODEL | {"kind": "status", "status": 500})
    calm.deliver(shop, "Hola")
    wait_until(lambda: sandbox.fired() > 0, what="the model to fail")
    engine = open_engine(calm.database_url)
    with engine.begin() as connection:
        ((conversation_id,),) = connection.exec_driver_sql("SELECT max(id) FROM conversations").all()
        assert set_state(connection, conversation_id, "human", was="assistant", by="ana")
    engine.dispose()
    sandbox.faults()

    ended = f"SELECT state, reason FROM turns WHERE bot_id = '{shop.bot['id']}'"
    wait_until(lambda: calm.rows(ended) == [("unanswered", "human")], what="the turn to end")
    assert shop.outbound() == []


def test_messages_in_the_model_s_hands_at_a_kill_are_answered_once(fleet: Fleet, sandbox: Sandbox) -> None:
    shop = fleet.open_line()
    users = [f"+569333333{number:02}" for number in range(10)]
    for number, user in enumerate(users):
        assert fleet.deliver(shop, "piensa 2s", number, user).status == 200
    fleet.wait_for_turns(shop, len(users))
    fleet.kill()
    fleet.start_again()
    for user in users:
        answers(shop, 1, user)
    fleet.deliver(shop, "Hola", 0, users[0])
    assert ["piensa" in body for body in answers(shop, 2, users[0])] == [True, False]
    assert [len(shop.outbound(user)) for user in users] == [2] + [1] * 9


@pytest.mark.parametrize("kind", ["timeout_after_write", pytest.param("timeout_before_write", marks=pytest.mark.long)])
def test_a_message_in_twilio_s_hands_at_a_kill_goes_out_once(fleet: Fleet, sandbox: Sandbox, kind: str) -> None:
    shop = fleet.open_line()
    sandbox.faults(shop.only(SEND | {"kind": kind, "seconds": 5, "times": 1}))
    fleet.deliver(shop, "Hola")
    wait_until(lambda: sandbox.fired() == 1)
    fleet.kill()
    fleet.start_again()
    answers(shop, 1)
    fleet.deliver(shop, "¿Sigues ahí?")
    assert ["Hola" in body for body in answers(shop, 2)] == [True, False]


@pytest.mark.long
def test_a_stop_finishes_the_turn_under_way_and_begins_no_other(fleet: Fleet, sandbox: Sandbox) -> None:
    shop = fleet.open_line()
    fleet.deliver(shop, "piensa 2s")
    fleet.wait_for_turns(shop, 1)
    fleet.deliver(shop, "¿Y esto?")
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(lambda replica: replica.stop(), fleet.replicas)) == [0] * len(fleet.replicas)
    assert ["piensa" in body for body in answers(shop, 1)] == [True]
    fleet.start_again()
    assert "¿Y esto?" in answers(shop, 2)[1]


@pytest.mark.long
def test_a_stop_under_load_loses_nothing_and_doubles_nothing(fleet: Fleet, sandbox: Sandbox) -> None:
    shop = fleet.open_line()
    acknowledged: list[str] = []

    def write(number: int) -> None:
        user = f"+569444444{number:02}"
        try:
            answer = fleet.deliver(shop, "piensa 1s", number, user)
        except OSError:
            return
        if answer.status == 200:
            acknowledged.append(user)
        else:
            assert answer.status == 503

    with ThreadPoolExecutor(4) as pool:
        for number in range(10):
            write(number)
        writing = [pool.submit(write, number) for number in range(10, 90)]
        codes = list(ThreadPoolExecutor(2).map(lambda replica: replica.stop(), fleet.replicas))
        for written in writing:
            written.result()
    assert codes == [0] * len(fleet.replicas)
    fleet.start_again()
    for user in acknowledged:
        answers(shop, 1, user)
    assert {len(shop.outbound(user)) for user in acknowledged} == {1}
    # A process that stops without a crash does not make the turns that it leaves suspects.
    assert fleet.rows("SELECT DISTINCT starts FROM turns") == [(1,)]
