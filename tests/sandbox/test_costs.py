"""OpenAI's costs of an organization: what the stand-in's models used, day by day, for an admin key."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import openai as sdk
import pytest
from openai import OpenAI

from tests.sandbox_process import Sandbox

MODEL = "gpt-6-luna"
DAY = 86_400


@pytest.fixture
def admin(sandbox: Sandbox) -> Iterator[OpenAI]:
    """The SDK with an admin key, in strict mode."""
    with OpenAI(
        base_url=sandbox.openai_url,
        api_key=sandbox.api_key,
        admin_api_key=sandbox.admin_key,
        max_retries=0,
        _strict_response_validation=True,
    ) as client:
        yield client


def midnight() -> int:
    """When today began, in UTC."""
    now = int(datetime.now(UTC).timestamp())
    return now - now % DAY


def costs(admin: OpenAI, **query: Any) -> list[Any]:
    """The results of today's bucket."""
    (bucket,) = admin.admin.organization.usage.costs(start_time=midnight(), **query).data
    return list(bucket.results)


def test_a_day_is_one_sum_without_groups(admin: OpenAI) -> None:
    usage = [admin.responses.create(model=MODEL, input=text).usage for text in ("hola", "chao")]
    (result,) = costs(admin)
    assert result.amount.value == pytest.approx(sum(used.input_tokens + 5 * used.output_tokens for used in usage) / 1e7)
    assert (result.amount.currency, result.line_item, result.project_id, result.quantity) == ("usd", None, None, None)


def test_line_items_are_a_model_and_what_was_used_of_it(admin: OpenAI) -> None:
    asked: Any = {"model": MODEL, "instructions": "Eres el asistente de La Cocina. " * 200}
    search: Any = {"tools": [{"type": "web_search_preview"}], "tool_choice": {"type": "web_search_preview"}}
    admin.responses.create(**asked, input="hola")
    admin.responses.create(**asked, input="chao", **search)
    results = costs(admin, group_by=["line_item"])
    found = {item.line_item: (item.quantity, item.quantity_unit, item.amount.value) for item in results}
    assert found.pop(f"{MODEL}, output_tokens")[1] == "tokens"
    assert found == {
        f"{MODEL}, input_tokens": (130, "tokens", 0.000013),
        f"{MODEL}, input_cached_tokens": (1536, "tokens", 0.00001536),
        f"{MODEL}, input_cache_write_tokens": (1536, "tokens", 0.000192),
        f"{MODEL}, web_search_calls": (1, None, 0.01),
    }


def test_costs_are_grouped_and_narrowed_by_project_and_key(admin: OpenAI, sandbox: Sandbox) -> None:
    for project in ("proj_a", "proj_b"):
        sandbox.settings(project=project)
        admin.responses.create(model=MODEL, input="hola")
    grouped = costs(admin, group_by=["project_id", "api_key_id"])
    assert {item.project_id for item in grouped} == {"proj_a", "proj_b"}
    (key,) = {item.api_key_id for item in grouped}
    only = {"project_ids": ["proj_b"], "line_items": [f"{MODEL}, input_tokens"], "api_key_ids": [key]}
    (item,) = costs(admin, group_by=["line_item", "project_id"], **only)
    assert (item.project_id, item.line_item, item.quantity) == ("proj_b", f"{MODEL}, input_tokens", 1)
    assert costs(admin, api_key_ids=["key_other"]) == []


def test_a_bucket_is_a_day_and_pages_hold_as_many_as_asked_for(admin: OpenAI, sandbox: Sandbox) -> None:
    admin.responses.create(model=MODEL, input="hola")
    sandbox.settings(clock_ahead_seconds=2 * DAY)
    admin.responses.create(model=MODEL, input="hola")
    query: Any = {"start_time": midnight() - DAY, "bucket_width": "1d", "limit": 3}
    first = admin.admin.organization.usage.costs(**query)
    assert first.has_more
    assert first.next_page
    second = admin.admin.organization.usage.costs(**query, page=first.next_page)
    assert (second.has_more, second.next_page) == (False, None)
    buckets = [*first.data, *second.data]
    assert [bucket.start_time for bucket in buckets] == [midnight() + day * DAY for day in (-1, 0, 1, 2)]
    assert [bucket.end_time - bucket.start_time for bucket in buckets] == [DAY] * 4
    assert [len(bucket.results) for bucket in buckets] == [0, 1, 0, 1]


def test_the_end_of_the_time_is_not_part_of_it(admin: OpenAI) -> None:
    page = admin.admin.organization.usage.costs(start_time=midnight() - DAY, end_time=midnight())
    assert [bucket.start_time for bucket in page.data] == [midnight() - DAY]


def test_a_page_may_lose_its_buckets(admin: OpenAI, sandbox: Sandbox) -> None:
    sandbox.faults({"kind": "drop_page", "path": "/v1/organization/costs"})
    assert admin.admin.organization.usage.costs(start_time=midnight()).data == []


def test_a_model_without_a_price_has_a_quantity_and_no_amount(admin: OpenAI) -> None:
    admin.responses.create(model="gpt-6-sol", input="hola")
    amounts = {item.line_item: (item.quantity, item.amount.value) for item in costs(admin, group_by=["line_item"])}
    assert amounts["gpt-6-sol, input_tokens"] == (1, None)


def test_messages_are_not_on_openais_bill(admin: OpenAI, sandbox: Sandbox, sender: Any) -> None:
    sandbox.inbound("la-cocina", "hola", wait=0)
    assert sandbox.prices()[0]["kind"] == "twilio_in"
    assert costs(admin) == []


@pytest.mark.parametrize("key", ["api_key", "other"])
def test_only_an_admin_key_sees_costs(sandbox: Sandbox, key: str) -> None:
    given = {"api_key": sandbox.api_key, "other": "sk-admin-other"}[key]
    client = OpenAI(base_url=sandbox.openai_url, admin_api_key=given, max_retries=0)
    with client, pytest.raises(sdk.AuthenticationError) as caught:
        client.admin.organization.usage.costs(start_time=0)
    assert caught.value.code == "invalid_api_key"


def test_an_admin_key_sees_nothing_else(sandbox: Sandbox) -> None:
    client = OpenAI(base_url=sandbox.openai_url, api_key=sandbox.admin_key, max_retries=0)
    with client, pytest.raises(sdk.AuthenticationError):
        client.models.list()


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ({"start_time": "ayer"}, "start_time"),
        ({"end_time": "hoy"}, "end_time"),
        ({"bucket_width": "1h"}, "bucket_width"),
        ({"limit": 181}, "limit"),
        ({"limit": 0}, "limit"),
        ({"group_by": ["model"]}, "group_by"),
        ({"group_by": ["user_id"]}, "group_by"),
        ({"page": "dos"}, "page"),
    ],
)
def test_what_openai_does_not_know_is_refused(admin: OpenAI, query: dict[str, Any], param: str) -> None:
    with pytest.raises(sdk.BadRequestError) as caught:
        admin.admin.organization.usage.costs(**{"start_time": midnight(), **query})
    assert caught.value.param == param


def test_costs_begin_at_a_time(admin: OpenAI) -> None:
    with pytest.raises(sdk.BadRequestError, match="Missing required parameter: 'start_time'"):
        admin.get("/organization/costs", cast_to=object, options={"security": {"admin_api_key_auth": True}})
