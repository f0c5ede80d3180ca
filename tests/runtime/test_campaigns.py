"""Sends to lists: each person once, whatever crashes; nothing before everything is checked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.drivers.fleet import Fleet, fleet_on
from tests.runtime.template_shop import shop_with_templates
from tests.runtime_process import Answer, Line
from tests.sandbox_process import Json, Sandbox, wait_until

MESSAGES = "/2010-04-01/Accounts"


@pytest.fixture(
    scope="module", params=["sqlite", pytest.param("postgresql", marks=[pytest.mark.postgres, pytest.mark.long])]
)
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, sandbox_process: Sandbox
) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("campaigns")
    with fleet_on(request.param, folder, sandbox_process, CAMPAIGN_MAX="20") as fleet:
        yield fleet


@pytest.fixture
def shop(served: Fleet, sandbox: Sandbox) -> Line:
    return shop_with_templates(served.replicas[0], sandbox)


def token(shop: Line) -> str:
    name = f"campaigns{shop.number[1:]}"
    return shop.runtime.command("token", "create", name, "--scope", "campaigns").out.strip()


def people(count: int, first: int = 1) -> list[Json]:
    return [
        {"to": f"+5695560{number:04}", "variables": {"nombre": f"Ana {number}", "dia": "martes"}}
        for number in range(first, first + count)
    ]


def post(shop: Line, own: str, rows: list[Json], **more: Any) -> Answer:
    body = {"id": f"lista-{shop.number[1:]}", "bot_id": shop.bot["id"], "template": "recordatorio", "rows": rows}
    return shop.runtime.api(
        "POST", "/campaigns/", {**body, "basis": "pidieron avisos", "quiet_hours": False, **more}, own
    )


def now(shop: Line, own: str) -> Json:
    found: Json = shop.runtime.api("GET", f"/campaigns/lista-{shop.number[1:]}", token=own).json
    return found


def sent_to(shop: Line) -> list[str]:
    """Who got it, with repetitions."""
    return sorted(entry["to"] for entry in shop.sandbox.ledger(kind="outbound") if entry["from"].endswith(shop.number))


def test_everybody_gets_it_once_and_who_opted_out_does_not(shop: Line) -> None:
    own, rows = token(shop), [{"to": row["to"]} for row in people(6)]
    shop.ask("BAJA", "+56955600003")
    before = len(sent_to(shop))
    begun = post(shop, own, rows[:5], template="promo")
    assert (begun.status, begun.json["people"], begun.json["cost"] > 0) == (201, 5, True)
    wait_until(lambda: now(shop, own)["state"] == "done")
    wait_until(lambda: now(shop, own)["statuses"] == {"delivered": 4})
    assert now(shop, own)["rows"] == {"sent": 4, "skipped": 1}
    again = post(shop, own, rows, template="promo")
    assert again.json["people"] == 1
    wait_until(lambda: now(shop, own)["rows"] == {"sent": 5, "skipped": 1})
    assert len(sent_to(shop)) - before == 5


def test_nothing_is_sent_where_one_row_is_wrong_or_the_token_may_not(shop: Line, sandbox: Sandbox) -> None:
    own, rows = token(shop), people(3)
    rows[1]["variables"].pop("dia")
    refused = post(shop, own, rows)
    assert (refused.status, refused.error["field"]) == (400, "rows.1.variables")
    assert "Row 2: The template 'recordatorio': No value for dia." in refused.error["message"]
    assert post(shop, own, [*people(1), *people(1)]).error["message"] == "Rows 1 and 2 are of one person."
    write = shop.runtime.command("token", "create", f"w{shop.number[1:]}", "--scope", "write").out.strip()
    assert post(shop, write, people(2)).status == 403
    assert post(shop, own, people(3), dry_run=True).json["people"] == 3
    assert sandbox.calls("twilio", "POST", MESSAGES) == []


def test_a_budget_without_room_refuses_the_whole_list(served: Fleet, sandbox: Sandbox) -> None:
    budget = {"monthly": 0.05, "currency": "USD", "on_exceeded": "pause"}
    shop = shop_with_templates(served.replicas[0], sandbox, budget=budget)
    refused = post(shop, token(shop), people(15))
    assert (refused.status, refused.error["field"]) == (400, "rows")
    assert "of the client's budget for this month 0.05 USD are left" in refused.error["message"]
    assert sandbox.calls("twilio", "POST", MESSAGES) == []


def test_what_a_list_will_cost_is_reserved_while_it_waits_and_ordinary_messages_see_it(
    served: Fleet, sandbox: Sandbox
) -> None:
    cost = post(unbound := shop_with_templates(served.replicas[0], sandbox), token(unbound), people(30), dry_run=True)
    monthly = cost.json["cost"] / 10**9
    budget = {"monthly": monthly, "currency": "USD", "on_exceeded": "pause"}
    shop = shop_with_templates(served.replicas[0], sandbox, budget=budget)
    own = token(shop)
    assert post(shop, own, people(30)).status == 201
    wait_until(lambda: "CAMPAIGN_MAX" in (now(shop, own)["reason"] or ""))
    wait_until(lambda: now(shop, own)["statuses"] == {"delivered": 20})
    message = {"to": "+56955609999", "body": "Tu mesa está lista.", "bot_id": shop.bot["id"]}
    assert "no podemos responder" in shop.ask("¿Hay mesa?", "+56955609999")
    assert shop.runtime.api("POST", "/messages/", message).error["code"] == "budget_exceeded"
    other = post(shop, own, people(1, first=90), id="otra")
    assert (other.status, "0.00 USD are left" in other.error["message"]) == (400, True)
    shop.runtime.api("POST", f"/campaigns/lista-{shop.number[1:]}/stop", {}, own)
    assert post(shop, own, people(1, first=90), id="otra", dry_run=True).status in (200, 201)
    assert shop.runtime.api("POST", "/messages/", message).error["code"] == "daily_limit"


def test_a_day_has_a_limit_that_counts_every_proactive_message(shop: Line) -> None:
    own = token(shop)
    post(shop, own, people(25))
    wait_until(lambda: "CAMPAIGN_MAX" in (now(shop, own)["reason"] or ""))
    assert (now(shop, own)["state"], now(shop, own)["rows"]) == ("running", {"sent": 20, "waiting": 5})
    one = {"to": "+56955609999", "template": "retomar", "bot_id": shop.bot["id"]}
    refused = shop.runtime.api("POST", "/messages/", one)
    assert (refused.status, refused.error["code"]) == (429, "daily_limit")
    stopped = shop.runtime.api("POST", f"/campaigns/lista-{shop.number[1:]}/stop", {}, own).json
    assert (stopped["state"], len(sent_to(shop))) == ("stopped", 20)


def test_the_command_sends_a_file_shows_its_cost_and_a_report_and_repeats_nothing(shop: Line, tmp_path: Path) -> None:
    file = tmp_path / "personas.csv"
    file.write_text("to;nombre;dia\n+56955601001;Ana;martes\n+56955601002;Luz;lunes\n", encoding="utf-8-sig")
    options = ("--template", "recordatorio", "--to-file", str(file), "--bot", shop.bot["id"], "--basis", "son clientes")
    dry = shop.runtime.command("send", *options, "--dry-run")
    assert (dry.code, "2 people get recordatorio (utility)" in dry.out, sent_to(shop)) == (0, True, [])
    done = shop.runtime.command("send", *options, "--yes", "--any-hour")
    assert (done.code, "sent: 2" in done.out) == (0, True), done.err
    assert sent_to(shop) == ["whatsapp:+56955601001", "whatsapp:+56955601002"]
    again = shop.runtime.command("send", *options, "--yes", "--any-hour")
    assert (again.code, "0 people get recordatorio (utility), 2 have it already" in again.out) == (0, True)
    assert len(sent_to(shop)) == 2


def has_reached(shop: Line, least: int) -> bool:
    return len(sent_to(shop)) >= least


@pytest.mark.parametrize("store", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
@pytest.mark.parametrize(
    "size", [pytest.param(400, marks=pytest.mark.long), pytest.param(2000, marks=pytest.mark.full)]
)
def test_a_long_list_that_is_killed_twice_reaches_everybody_once(
    size: int, store: str, sandbox: Sandbox, tmp_path: Path
) -> None:
    with fleet_on(store, tmp_path, sandbox, CAMPAIGN_MAX="5000") as fleet:
        runtime = fleet.replicas[0]
        shop = shop_with_templates(runtime, sandbox)
        own, rows = token(shop), people(size)
        assert post(shop, own, rows).json["people"] == size
        for reached in (size // 7, size // 2):
            wait_until(partial(has_reached, shop, reached), 300)
            runtime.kill()
            runtime.start_again()
        wait_until(lambda: now(shop, own)["state"] == "done", 600)
        assert now(shop, own)["rows"] == {"sent": size}
        assert sent_to(shop) == sorted(f"whatsapp:{row['to']}" for row in rows)


def test_campaigns_are_listed_shown_and_stopped_by_a_command(shop: Line, served: Fleet) -> None:
    def campaigns(*arguments: str) -> str:
        done = shop.runtime.command("campaigns", *arguments)
        assert done.code == 0, done.err
        return done.out

    own, id_, bot = token(shop), f"lista-{shop.number[1:]}", str(shop.bot["id"])
    post(shop, own, people(2, 700))
    wait_until(lambda: now(shop, own)["statuses"] == {"delivered": 2})
    [line] = campaigns("list", "--client", bot).splitlines()
    assert [*line.split("\t")[:1], *line.split("\t")[3:]] == [id_, bot, "recordatorio", "done", "2 of 2"]
    shown = campaigns("show", id_).splitlines()
    assert shown[0] == f"{id_}: recordatorio for {bot}, done"
    assert shown[-2:] == ["sent: 2", "  delivered: 2"]
    assert json.loads(campaigns("show", id_, "--format", "json"))["statuses"] == {"delivered": 2}
    over = shop.runtime.command("campaigns", "stop", id_)
    assert (over.code, "is done" in over.err) == (1, True)
    assert "There is no campaign otra;" in shop.runtime.command("campaigns", "show", "otra").err

    served.rows(f"UPDATE campaigns SET state = 'running' WHERE id = '{id_}' RETURNING 1")
    served.rows(f"UPDATE campaign_rows SET state = 'waiting' WHERE campaign_id = '{id_}' AND line = 2 RETURNING 1")
    assert campaigns("stop", id_) == "Stopped: 1 of 2 people do not get it.\n"
    assert "reason: Stopped by " in campaigns("show", id_)
    assert len(sent_to(shop)) == 2
