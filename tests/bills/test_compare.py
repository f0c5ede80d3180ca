"""`costs compare` end to end: a ledger against the stand-ins' Usage Records, prices of messages and costs
of the organization, read with the providers' own SDKs."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from twilio.rest import Client

from runtime.store.tariffs_record import record_values
from schemas.default_tariffs import DEFAULT
from tests.runtime_process import Line, Ran, Runtime, new_number, open_line
from tests.sandbox.conftest import twilio_client
from tests.sandbox.test_prices import content
from tests.sandbox_process import Sandbox, wait_until

OWN = "AC" + "c" * 32
USER = "+56912345678"


@pytest.fixture
def runtime(runtime_factory: Callable[..., Runtime], sandbox: Sandbox) -> Runtime:
    """A runtime with a store of its own, and the key of the organization where its commands run."""
    return runtime_factory(OPENAI_ADMIN_KEY=sandbox.admin_key, OWN_TOKEN="own-token")


@pytest.fixture
def asked(runtime: Runtime, sandbox: Sandbox) -> Line:
    """A line that answered two messages."""
    shop = open_line(runtime, sandbox)
    ask(shop, "Hola", "¿Abren hoy?")
    return shop


def ask(line: Line, *texts: str) -> None:
    """A user writes, and each answer is in the ledger when it is delivered."""
    for text in texts:
        known = count(line.runtime, "meta_service")
        line.ask(text)
        wait_until(lambda known=known: count(line.runtime, "meta_service") > known, what="the answer in the ledger")


def store(runtime: Runtime) -> sqlite3.Connection:
    """The runtime's store, to look at it or to damage it."""
    return sqlite3.connect(runtime.folder / "runtime.db", isolation_level=None)


def count(runtime: Runtime, kind: str) -> int:
    """Rows of a kind in the ledger."""
    connection = store(runtime)
    try:
        return int(connection.execute("SELECT count(*) FROM usage WHERE kind = ?", (kind,)).fetchone()[0])
    finally:
        connection.close()


def compare(runtime: Runtime, *arguments: str, **settings: str) -> tuple[int, dict[str, Any]]:
    """The exit code, and the providers by name."""
    ran = runtime.command("costs", "compare", "--format", "json", *arguments, **settings)
    return ran.code, {one["provider"]: one for one in json.loads(ran.out)["providers"]}


def test_the_ledger_equals_what_is_charged(asked: Line) -> None:
    code, providers = compare(asked.runtime, "--tolerance", "0")

    assert code == 0, providers
    assert {one["result"] for one in providers.values()} == {"within"}
    assert providers["Twilio"]["charged_nano_usd"] == 4 * 5_000_000
    assert providers["Meta"]["charged_nano_usd"] == 0
    assert providers["OpenAI"]["charged_nano_usd"] > 0
    kinds = {kind["kind"]: kind for one in providers.values() for kind in one["kinds"]}
    assert {"twilio_in", "twilio_out", "model_input", "model_output"} <= kinds.keys()
    assert all(kind["difference_nano_usd"] == 0 for kind in kinds.values())


def test_a_person_reads_what_prices_of_messages_are_made_of(asked: Line, sandbox: Sandbox) -> None:
    client, http = twilio_client(sandbox, sandbox.account_sid, sandbox.auth_token)
    try:
        send_template(client, sandbox, asked, "MARKETING")
    finally:
        http.close()
    assert "own fee only, without Meta's part. Sum: 0.0250 of 5 messages; 0 have none." in text(asked)

    sandbox.settings(message_price="twilio and meta")

    assert "its fee and Meta's part together. Sum: 0.1139 of 5 messages; 0 have none." in text(asked)


def text(line: Line) -> str:
    return line.runtime.command("costs", "compare").out


def send_template(client: Client, sandbox: Sandbox, line: Line, category: str) -> None:
    """Another program sends a template from our number, which the ledger does not learn of."""
    sent = client.messages.create(
        from_=f"whatsapp:{line.number}", to=f"whatsapp:{USER}", content_sid=content(client, category)
    )
    wait_until(lambda: sandbox_status(client, str(sent.sid)) in ("delivered", "read"), what="the template's delivery")


def sandbox_status(client: Client, sid: str) -> str:
    return str(client.messages(sid).fetch().status)


def test_what_another_program_sent_is_above_the_tolerance(asked: Line, sandbox: Sandbox) -> None:
    client, http = twilio_client(sandbox, sandbox.account_sid, sandbox.auth_token)
    try:
        send_template(client, sandbox, asked, "MARKETING")
    finally:
        http.close()

    ran = asked.runtime.command("costs", "compare")

    assert ran.code == 2
    assert "Meta    ledger 0.0000  charged 0.0889  difference -0.0889 (-100.00 %)  ABOVE THE TOLERANCE" in ran.out
    assert ran.out.count("1 not in the ledger") == 2  # Twilio's part, and Meta's


def test_a_missing_row_is_above_the_tolerance(asked: Line) -> None:
    connection = store(asked.runtime)
    connection.execute("DELETE FROM usage WHERE id = (SELECT min(id) FROM usage WHERE kind = 'twilio_in')")
    connection.close()

    code, providers = compare(asked.runtime)

    assert code == 2
    [received] = [kind for kind in providers["Twilio"]["kinds"] if kind["kind"] == "twilio_in"]
    assert (received["reason"], received["difference_nano_usd"]) == ("quantity", -5_000_000)
    assert [providers[name]["result"] for name in ("Twilio", "Meta", "OpenAI")] == ["different", "within", "within"]
    assert compare(asked.runtime, "--tolerance", "25")[0] == 0


def test_a_wrong_tariff_is_above_the_tolerance(runtime: Runtime, sandbox: Sandbox) -> None:
    rows = [row.model_copy(update={"usd": 0.004}) if row.direction == "out" else row for row in DEFAULT.twilio]
    tariffs = DEFAULT.model_copy(update={"twilio": rows}).model_dump(mode="json")
    values = {"live_id": "tariffs", "values": record_values(tariffs)}
    assert runtime.api("PUT", "/reconcile/applied/installation/tariffs", values).status == 204
    ask(open_line(runtime, sandbox), "Hola")

    ran = runtime.command("costs", "compare")

    assert ran.code == 2
    assert "another price: 0.004000 each in the ledger, 0.005000 charged" in ran.out


def test_every_account_that_a_bot_names_is_read(asked: Line, sandbox: Sandbox) -> None:
    runtime = asked.runtime
    sandbox.ask("POST", "accounts", {"sid": OWN, "auth_token": "own-token"})
    own = {"account_sid": OWN, "auth_token_env": "OWN_TOKEN", "model": "gpt-6-luna", "instructions": "Hola."}
    bot = runtime.made("/bots/", {"name": "Propio", "twilio_phone_number": new_number(), **own})
    callbacks = {"callback_url": f"{runtime.url}/webhook/whatsapp"}
    callbacks["status_callback_url"] = callbacks["callback_url"] + "/status"
    sandbox.register(bot["twilio_phone_number"], account_sid=OWN, webhook=callbacks)
    ask(Line(runtime, sandbox, bot), "Hola")

    code, providers = compare(runtime, "--tolerance", "0")

    assert (code, providers["Twilio"]["charged_nano_usd"]) == (0, 6 * 5_000_000)
    refused = runtime.command("costs", "compare", OWN_TOKEN="wrong")
    assert refused.code == 1
    assert f"The charges of the Twilio account {OWN} cannot be read: " in refused.out
    unset = runtime.command("costs", "compare", OWN_TOKEN="")
    assert unset.code == 1
    assert "set OWN_TOKEN" in unset.out


@pytest.mark.parametrize("path", ["/2010-04-01/Accounts/*/Usage/Records.json", "/2010-04-01/Accounts/*/Messages.json"])
def test_a_side_of_twilio_that_cannot_be_read_exits_with_1(asked: Line, sandbox: Sandbox, path: str) -> None:
    sandbox.faults({"kind": "status", "provider": "twilio", "method": "GET", "path": path})

    code, providers = compare(asked.runtime)

    assert code == 1
    assert [providers[name]["result"] for name in ("Twilio", "Meta", "OpenAI")] == ["unread", "unread", "within"]


def test_a_key_that_is_not_an_administrator_s_exits_with_1(asked: Line) -> None:
    ran = asked.runtime.command("costs", "compare", OPENAI_ADMIN_KEY="sk-sandbox")

    assert ran.code == 1
    assert "check that OPENAI_ADMIN_KEY is a key for administrators of it." in ran.out
    assert "sk-sandbox" not in ran.out + ran.err


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("TWILIO_BASE_URL", "cannot be read: Twilio cannot be reached; check the network and TWILIO_BASE_URL."),
        ("OPENAI_BASE_URL", "cannot be read: OpenAI cannot be reached; check the network and OPENAI_BASE_URL."),
    ],
)
def test_a_server_that_is_down_is_not_taken_for_a_wrong_key(asked: Line, setting: str, said: str) -> None:
    ran = asked.runtime.command("costs", "compare", **{setting: "http://127.0.0.1:9"})

    assert ran.code == 1
    assert said in ran.out


def test_without_a_key_openai_is_not_compared(asked: Line) -> None:
    code, providers = compare(asked.runtime, OPENAI_ADMIN_KEY="")

    assert (code, providers["OpenAI"]["result"]) == (0, "not_compared")


def test_only_a_project_s_costs_are_compared(runtime: Runtime, sandbox: Sandbox) -> None:
    sandbox.settings(project="proj_bots")
    ask(open_line(runtime, sandbox), "Hola")

    assert compare(runtime, "--project", "proj_bots", "--tolerance", "0")[0] == 0
    assert compare(runtime, "--project", "proj_else")[0] == 2


def test_the_sums_of_the_ledger_by_client_and_kind(asked: Line) -> None:
    ran = asked.runtime.command("costs", "--format", "json", "--client", asked.bot["id"])

    usage = {row["kind"]: row for row in json.loads(ran.out)["usage"]}
    assert {row["client"] for row in usage.values()} == {asked.bot["id"]}
    assert (usage["twilio_in"]["quantity"], usage["twilio_in"]["nano_usd"]) == (2, 10_000_000)
    assert (usage["meta_service"]["quantity"], usage["meta_service"]["free"]) == (2, 2)
    assert usage["model_output"]["model"] == "gpt-6-luna"
    assert f"\n{asked.bot['id']}  0.02" in asked.runtime.command("costs").out
    nothing = asked.runtime.command("costs", "--client", "nadie", "--month", "2026-10")
    assert (nothing.code, nothing.out) == (0, "")
    assert nothing.err == "The ledger has nothing of 2026-10 for 'nadie'.\n"


def refused(ran: Ran) -> str:
    assert (ran.code, ran.out) == (2, "")
    return ran.err.splitlines()[-1]


def test_a_month_that_is_none_is_refused(runtime: Runtime) -> None:
    coming = f"{datetime.now(UTC).year + 1}-01"
    begun = f"{datetime.now(UTC):%Y-%m}"

    for command in (["costs"], ["costs", "compare"]):
        assert refused(runtime.command(*command, "--month", coming)).endswith(
            f"{coming} has not begun yet; in UTC it is {begun}."
        )
        assert refused(runtime.command(*command, "--month", "2026-13")).endswith(
            "'2026-13' is not a month; write it as 2026-11."
        )
