"""Checks on a finished plan: each limit on both of its sides, and what each refusal says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from reconciler.errors import Refused
from reconciler.manifest import Fleet
from reconciler.model import Binding, Change, Orphan, Plan
from reconciler.observation.live_state import Failed, LiveState, index_store
from reconciler.origin import Origin
from reconciler.planning.guards import Limits, check, check_account
from runtime.store.records import AssistantRecord, BotRecord, Snapshot

MANY = Limits(max_deletes=1_000, max_delete_percent=100)


def change(client: str, action: str = "update", kind: str = "bot", **more: Any) -> Change:
    values: dict[str, Any] = {
        "live_id": None,
        "fields": (),
        "after": {},
        "reason": "config",
        "source": f"{client}.yaml",
    }
    return Change(client=client, kind=kind, action=action, key="key", **{**values, **more})  # type: ignore[arg-type]


def leaving(client: str, action: str = "delete", **more: Any) -> Change:
    """A change of a client that no manifest declares any more."""
    return change(client, action, **{"source": None, "live_id": f"id-{client}", **more})


def plan(changes: Sequence[Change] = (), clients: int = 4, **more: Any) -> Plan:
    return Plan(**{"changes": changes, "findings": (), "orphans": (), "unresolved": (), "clients": clients, **more})


def fleet(*states: str) -> Fleet:
    return Fleet(tuple(SimpleNamespace(client=SimpleNamespace(state=state)) for state in states))  # type: ignore[arg-type]


def bot(client: str, *, protected: bool = False) -> BotRecord:
    return BotRecord(id=client, name=client, twilio_phone_number=f"+{client}", client=client, protected=protected)


def live_state(*bots: BotRecord, exists: bool = True, assistants: Sequence[AssistantRecord] = ()) -> LiveState:
    snapshot = Snapshot(bots=tuple(bots), assistants=tuple(assistants), applied=(), exists=exists)
    return LiveState(store=index_store(snapshot), models={}, objects={})


UNREADABLE = LiveState(store=Failed("The store cannot be reached."), models={}, objects={})


def refusal(of: Plan, limits: Limits = MANY, declared: Fleet | None = None, live: LiveState | None = None) -> list[str]:
    """What is said against the plan, a line each; nothing when it may be applied."""
    try:
        check(of, declared or fleet("active"), live or live_state(), limits)
    except Refused as error:
        return str(error).split("\n")
    return []


def test_a_plan_within_every_limit_is_not_refused():
    assert refusal(plan([change("a"), change("b", "create")]), Limits()) == []


@pytest.mark.parametrize(("deletes", "refused"), [(9, False), (10, False), (11, True)])
def test_deletes_and_detaches_are_counted_against_max_deletes(deletes, refused):
    changes = [change("a", "delete" if number % 2 else "detach") for number in range(deletes)]

    said = refusal(plan([*changes, change("a"), change("b", "create")]), Limits())

    assert said == (
        ["Refused: 11 deletes are more than the 10 allowed. --max-deletes 11 allows them."] if refused else []
    )


@pytest.mark.parametrize(
    ("gone", "known", "percent"), [(1, 2, None), (2, 4, None), (2, 3, 67), (1, 1, 100), (3, 5, 60), (51, 101, 51)]
)
def test_the_share_of_clients_that_go_is_bounded(gone, known, percent):
    changes = [leaving(f"c{number}") for number in range(gone)] + [leaving("c0", "detach", kind="sender")]
    live = live_state(*[bot(f"c{number}") for number in range(known)])

    said = refusal(plan(changes), Limits(max_deletes=1_000), live=live)

    assert said == (
        []
        if percent is None
        else [
            f"Refused: {gone} of {known} clients would be deleted, {percent}% and more than the 50% allowed. "
            f"--max-delete-percent {percent} allows them."
        ]
    )


def test_clients_that_only_lose_something_or_are_declared_do_not_count_as_going():
    assert refusal(plan([change("a", "delete"), leaving("a", "update")]), Limits(), live=live_state(bot("a"))) == []


def test_a_client_that_goes_and_is_not_in_the_store_counts_among_the_known():
    assert refusal(plan([leaving("a")]), Limits(max_delete_percent=50), live=live_state(bot("b"))) == []
    assert refusal(plan([leaving("a")]), Limits(max_delete_percent=49), live=live_state(bot("b"))) != []


def test_shares_are_not_worked_out_of_a_store_that_could_not_be_read():
    assert refusal(plan([leaving("a")]), Limits(), live=UNREADABLE) == []


@pytest.mark.parametrize(("limit", "refused"), [(None, False), (2, False), (1, True), (0, True)])
def test_changes_are_counted_against_max_changes(limit, refused):
    said = refusal(plan([change("a"), change("a", kind="assistant")]), Limits(max_changes=limit))

    expected = [f"Refused: 2 changes are more than the {limit} allowed. --max-changes 2 allows them."]
    assert said == (expected if refused else [])


@pytest.mark.parametrize(
    ("touched", "clients", "limit", "percent"),
    [(1, 3, 34, None), (1, 3, 33, 34), (2, 4, 50, None), (2, 4, 49, 50), (1, 4, None, None), (1, 0, 0, None)],
)
def test_the_share_of_clients_that_change_is_bounded(touched, clients, limit, percent):
    changes = [change(f"c{number}", kind=kind) for number in range(touched) for kind in ("bot", "sender")]

    said = refusal(plan(changes, clients), Limits(max_change_percent=limit))

    assert said == (
        []
        if percent is None
        else [
            f"Refused: {touched} of {clients} clients would change, {percent}% and more than the {limit}% allowed. "
            f"--max-change-percent {percent} allows them."
        ]
    )


ORPHAN = Orphan("old", "bot", "+1", "bot_1")


@pytest.mark.parametrize(
    ("states", "orphans", "changes", "allowed", "live"),
    [
        (("active",), [ORPHAN], [leaving("a")], False, None),
        ((), [], [], False, None),
        ((), [ORPHAN], [], False, 1),
        (("absent",), [ORPHAN], [leaving("a"), leaving("b", "detach")], False, 3),
        (("absent", "paused"), [ORPHAN], [], False, None),
        ((), [ORPHAN], [], True, None),
        ((), [], [change("a", "update")], False, None),
    ],
)
def test_a_fleet_that_declares_nobody_takes_nothing_away(states, orphans, changes, allowed, live):
    limits = Limits(max_deletes=100, max_delete_percent=100, allow_empty=allowed)

    said = refusal(plan(changes, orphans=orphans), limits, declared=Fleet(fleet(*states).clients))

    assert said == (
        []
        if live is None
        else [
            f"Refused: no manifest declares a client that exists, yet {live} live objects have our marker. "
            "--allow-empty allows it."
        ]
    )


@pytest.mark.parametrize(
    ("protected", "source", "live", "refused"),
    [
        (True, None, None, True),
        (True, "a.yaml", None, False),
        (False, None, None, False),
        (True, None, UNREADABLE, False),
    ],
)
def test_what_is_protected_on_the_live_side_does_not_go(protected, source, live, refused):
    changes = [leaving("a", source=source), leaving("a", "detach", kind="sender", source=source), leaving("b")]
    there = live or live_state(bot("a", protected=protected), bot("c", protected=True))

    said = refusal(plan(changes), live=there)

    expected = "Refused: the client a is protected. Apply `protected: false` first, then remove it."
    assert said == ([expected] if refused else [])


WEBHOOK = {"callback_url": "https://x/webhook", "fallback_url": "https://x/f", "callback_method": "POST"}


@pytest.mark.parametrize(
    ("sender", "is_ours"),
    [
        ({"before": {"webhook": WEBHOOK}, "after": {"webhook": WEBHOOK}}, True),
        ({"before": {"webhook": {**WEBHOOK, "callback_method": "GET"}}, "after": {"webhook": WEBHOOK}}, True),
        ({"before": {"webhook": {"callback_url": "https://x/webhook"}}, "after": {"webhook": WEBHOOK}}, False),
        ({"before": {"webhook": {**WEBHOOK, "fallback_url": None}}, "after": {"webhook": WEBHOOK}}, False),
        ({"before": None, "after": {"webhook": WEBHOOK}}, False),
        ({"before": {"webhook": WEBHOOK}, "after": {}}, False),
        ({"before": {}, "after": {"webhook": WEBHOOK}}, False),
    ],
)
def test_a_sender_shows_an_earlier_apply_only_with_every_url_of_ours(sender, is_ours):
    changes = [change("a", kind="sender", live_id="XE1", **sender)]

    said = refusal(plan(changes), live=live_state(exists=False))

    assert bool(said) == is_ours


def test_a_first_apply_that_finds_what_an_earlier_one_made_names_it_and_the_way_out():
    binding = Binding("b", "assistant", "asst_b", {})
    changes = [change("a", kind="assistant", live_id="asst_a"), change("n", "create")]

    few = refusal(plan(changes, unrecorded=[binding], orphans=[ORPHAN]), live=live_state(exists=False))
    many = refusal(plan(changes, unrecorded=[binding, binding], orphans=[ORPHAN]), live=live_state(exists=False))

    way_out = (
        "so that store is elsewhere. Set BOT_STORE_URL to it. If it is lost, restore its backup; "
        "`horizonai-whatsapp-bot migrate` creates an empty one."
    )
    found = "Refused: the bot store does not exist, yet an earlier apply has created live objects ("
    assert few == [f"{found}b: assistant asst_b, a: assistant asst_a, old: bot bot_1), {way_out}"]
    assert many == [f"{found}b: assistant asst_b, b: assistant asst_b, a: assistant asst_a, …), {way_out}"]


@pytest.mark.parametrize("live", [live_state(), UNREADABLE])
def test_a_store_that_exists_or_cannot_be_read_is_not_taken_for_one_elsewhere(live):
    assert refusal(plan([change("a", kind="assistant", live_id="asst_a")], orphans=[ORPHAN]), live=live) == []


def test_a_first_apply_with_nothing_of_an_earlier_one_goes_ahead():
    assert refusal(plan([change("a", "create")]), live=live_state(exists=False)) == []


RECORDED = Origin("AC1", "org-1", "proj_1")
MOVE = (
    " Set BOT_STORE_URL and the credentials of one installation; if this one has moved to that account, "
    "`reconcile --allow-other-account` applies it."
)
OTHER_ACCOUNT = "Refused: the records in the bot store are of the Twilio account AC1, and the credentials are of AC2."
OTHER_PROJECT = (
    "Refused: the records in the bot store are of OpenAI's project proj_1, and the credentials are of proj_2."
)


@pytest.mark.parametrize(
    ("credentials", "lines"),
    [
        (RECORDED, []),
        (Origin(), []),
        (Origin("AC2", "org-1", "proj_1"), [OTHER_ACCOUNT + MOVE]),
        (Origin("AC2", None, "proj_2"), [OTHER_ACCOUNT + MOVE, OTHER_PROJECT + MOVE]),
    ],
    ids=["the same", "not known", "another account", "another account and project"],
)
def test_the_records_of_one_account_are_not_applied_with_the_credentials_of_another(credentials, lines):
    live = live_state()
    live = replace(live, origin=credentials, store=replace(live.store, origin=RECORDED))

    assert refusal(plan(), live=live) == lines
    assert refusal(plan(), Limits(allow_other_account=True), live=live) == []
    if lines:
        with pytest.raises(Refused) as refused:
            check_account(live)
        assert str(refused.value) == "\n".join(lines)
    else:
        check_account(live)


def test_the_account_is_not_compared_with_records_that_cannot_be_read():
    check_account(replace(UNREADABLE, origin=RECORDED))


def test_every_reason_is_named_in_one_refusal():
    changes = [leaving("a"), leaving("b")]

    said = refusal(
        plan(changes, clients=2),
        Limits(max_deletes=1, max_delete_percent=50, max_changes=1, max_change_percent=50),
        declared=Fleet(()),
        live=live_state(bot("a", protected=True), bot("b")),
    )

    assert [line.split()[:2] for line in said] == [["Refused:", word] for word in ("no", "the", "2", "2", "2", "2")]
