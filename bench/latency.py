"""Planning and applying when every call of a provider takes 200 ms: how near to the bound that the calls set."""

from __future__ import annotations

from bench.installation import Installation, Installations
from bench.measure import BenchError, Runs, measure, progress, run_once
from bench.report import TIMING_HEAD, Section, Table, at_most, timing

COUNT = 1_000
SECONDS = 0.2
ROUNDS = 3
ASSISTANTS_PAGE = 100
"""The largest page of the Assistants API; senders come a thousand to a page."""
TWILIO_CONCURRENCY = 10
"""Calls in flight to Twilio, the reconciler's default."""
CALLS_A_SENDER = 4
"""A look, since the list tells nothing of a new sender's webhook; another right before the update, so that nothing is
overwritten that changed meanwhile; the update, which Twilio only accepts; a read of its result."""

_PLANNING = """\
A no-change plan of 1,000 clients. Assistants that live at the provider are listed a hundred to a page, and each page
names the next one, so ten calls follow each other whatever one does: that is the bound. With the engine `responses` the
assistants are in the bot store, and one page of senders is the longest way."""

_APPLYING = """\
1,000 new clients with the engine `responses`: 2,000 rows in the bot store, 1,000 senders attached. The bound is
Twilio's calls, four for each sender: a read of what the list left out, another right before the update, so that nothing
is overwritten that changed meanwhile, the update, which is only accepted, and a read of its result. Ten in
flight are fifty a second, which is what writing keeps to by default."""


def plan_section(installations: Installations) -> Section:
    """Plans with the latency, beside the same plans without it."""
    fleets = {
        "assistants at the provider": installations.primed(COUNT, "assistants"),
        "assistants in the store": installations.primed(COUNT, "responses"),
    }
    at_once = _measure(fleets)
    for fleet in fleets.values():
        fleet.sandbox.latency(SECONDS)
    delayed = _measure(fleets)
    for fleet in fleets.values():
        fleet.sandbox.latency(0)
    pages = dict(zip(fleets, (COUNT // ASSISTANTS_PAGE, 1), strict=True))
    rows = [
        timing(name, delayed[name], f"{at_once[name].best:.2f}", f"{pages[name]}", f"{pages[name] * SECONDS:.1f}")
        for name in fleets
    ]
    longest = next(iter(fleets))
    ratio = delayed[longest].best / (pages[longest] * SECONDS)
    head = (*TIMING_HEAD, "without latency, best s", "pages in a row", "bound s")
    target = at_most("plan of 1,000 with 200 ms a call, over the bound of its pages,", ratio, 1.3, "×")
    return Section("Planning with 200 ms a call", _PLANNING, Table(head, rows), [target])


def apply_section(installations: Installations) -> Section:
    """One apply of a new fleet."""
    fleet = installations.empty(COUNT)
    fleet.sandbox.latency(SECONDS)
    before = fleet.sandbox.calls()
    progress(f"applying {COUNT:,} new clients with {SECONDS * 1000:.0f} ms a call")
    run = run_once(fleet.apply())
    calls = {provider: count - before[provider] for provider, count in fleet.sandbox.calls().items()}
    fleet.sandbox.latency(0)
    run_once(fleet.plan())
    bound = COUNT * CALLS_A_SENDER / TWILIO_CONCURRENCY * SECONDS
    if calls["twilio"] < COUNT * CALLS_A_SENDER:
        raise BenchError(f"{calls['twilio']} calls to Twilio are fewer than the bound counts; correct the bound")
    row = [
        "reconcile --yes",
        f"{run.seconds:.1f}",
        f"{run.cpu_seconds:.1f}",
        f"{run.peak_mb:.0f}",
        f"{calls['openai']:,}",
        f"{calls['twilio']:,}",
        f"{bound:.1f}",
    ]
    head = ("", "s", "CPU s", "peak MB", "calls to OpenAI", "calls to Twilio", "bound s")
    target = at_most("applying 1,000 new clients with 200 ms a call, over the bound,", run.seconds / bound, 1.3, "×")
    return Section("Applying with 200 ms a call", _APPLYING, Table(head, [row]), [target])


def _measure(fleets: dict[str, Installation]) -> dict[str, Runs]:
    return measure([fleet.plan(name) for name, fleet in fleets.items()], ROUNDS)
