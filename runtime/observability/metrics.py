"""The runtime's own metrics, for Prometheus. They count and measure; nothing is decided here, and no message is read.

The label `client` is a bot's client (its id, for a bot that was created by hand), never a value that a caller may
choose. Each process has counters of its own; values from the store (`runtime.store.messages.backlog`) are the same in
every replica.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from itertools import product
from typing import Literal, TypeVar, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from runtime.observability.logs import dropped_lines
from runtime.store.activity_records import RatingRecord
from runtime.store.delivery_errors import DELIVERY_ERRORS, NO_CODE, OF_CLIENT
from runtime.store.messages.backlog import Backlog
from runtime.store.records import BotRecord
from runtime.store.sender_ratings import people_a_day
from runtime.store.usage.ledger import Line
from runtime.store.usage.quantities import Usage
from schemas.tariffs import NANOS

InboundResult = Literal["accepted", "duplicate", "limited", "refused", "not_stored", "swept"]
TurnResult = Literal["answered", "unanswered", "dead", "retried"]
SendResult = Literal["sent", "failed"]
TimerResult = Literal["done", "failed"]
UnsignedReason = Literal["no_signature", "malformed", "stranger", "wrong_signature"]
"""`wrong_signature`: the request names one of our numbers and its account; `stranger`: it does not."""
RefusedCall = Literal["no_token", "unknown_token", "expired_token", "limited"]
"""`limited`: not looked up, since the caller's tokens were not valid too often."""
DropReason = Literal["late", "crowded", "oversized"]
BreakerState = Literal["closed", "half_open", "open"]

NO_CLIENT = ""
"""Label where no client's bot was found."""
NO_BUDGETS: Mapping[str, float] = {}
NO_MODELS: Mapping[tuple[str, str], int] = {}
NO_RATINGS: Mapping[str, RatingRecord] = {}
QUALITIES = ("LOW", "MEDIUM", "HIGH")
OTHER_MODEL = "other"
OTHER_CODE = "other"
INCOMPLETE_REASONS = frozenset(
    {"max_output_tokens", "content_filter", "max_messages", "steered", "max_completion_tokens", "max_prompt_tokens"}
)
MODELS_LIMIT = 100
"""Names of models come from a server's answers: those beyond this many share one label."""
ANSWER_BUCKETS = (0.5, 1, 2, 3, 5, 8, 15, 30, 60, 120)
MODEL_BUCKETS = (0.25, 0.5, 1, 2, 4, 8, 15, 30, 60)
PROVIDERS = ("openai", "twilio")
ERROR_CLASSES = ("timeout", "quota", "auth", "rate_limit", "server", "refused", "connection", "temporary", "other")
"""The results of `error_class`."""
BREAKER_VALUES: dict[BreakerState, int] = {"closed": 0, "half_open": 1, "open": 2}


M = TypeVar("M", Counter, Gauge, Histogram)


def _series(metric: M) -> Callable[..., M]:
    """The series of a metric by their labels: prometheus-client takes longer to find one than to count with it."""
    return cache(metric.labels)


class _Sums:
    """Increments of counters, added up until they are read: a message makes a dozen, and prometheus-client takes ten
    times as long for one."""

    __slots__ = ("_sums",)

    def __init__(self) -> None:
        self._sums: dict[tuple[Callable[..., Counter], tuple[str, ...]], float] = {}

    def add(self, amount: float, series: Callable[..., Counter], *labels: str) -> None:
        key = series, labels
        self._sums[key] = self._sums.get(key, 0) + amount

    def count(self) -> None:
        """Gives them to the counters."""
        sums, self._sums = self._sums, {}
        for (series, labels), amount in sums.items():
            series(*labels).inc(amount)


class _TurnUnderWay:
    """Context manager that counts a turn as running."""

    __slots__ = ("_in_flight", "_received", "_received_at", "_turn_id")

    def __init__(self, in_flight: Gauge, received: dict[int, float], turn_id: int, received_at: str) -> None:
        self._in_flight = in_flight
        self._received = received
        self._turn_id = turn_id
        self._received_at = received_at

    def __enter__(self) -> None:
        self._in_flight.inc()
        self._received[self._turn_id] = datetime.fromisoformat(self._received_at).timestamp()

    def __exit__(self, *_error: object) -> None:
        self._in_flight.dec()
        self._received.pop(self._turn_id, None)


class _DroppedLines(Collector):
    """Lines that the log dropped, counted where they are written."""

    def collect(self) -> Iterable[CounterMetricFamily]:
        yield CounterMetricFamily(
            "horizonai_log_lines_dropped", "Lines that were dropped, since the log was not read.", dropped_lines()
        )


class Metrics:
    """The counters of one process. Called on the event loop only."""

    def __init__(self) -> None:
        # The start of a series is the start of the process; reporting it for each one would double the page.
        disable_created_metrics()  # type: ignore[no-untyped-call]  # the package leaves it without types
        self.registry = registry = CollectorRegistry()
        self._received: dict[int, float] = {}
        self._sums = _Sums()
        self._models: set[str] = set()
        self._clients: set[str] = set()
        """Those of which a turn has begun."""
        self._inbound = _series(
            Counter(
                "horizonai_inbound_messages",
                "Users' messages by result.",
                ["client", "result"],
                registry=registry,
            )
        )
        self._in_flight = _series(
            Gauge("horizonai_turns_in_flight", "Turns that are running.", ["client"], registry=registry)
        )
        self._turns = _series(
            Counter(
                "horizonai_turns",
                "Ends of turns, and retries; `reason` says why a turn is not answered.",
                ["client", "result", "reason"],
                registry=registry,
            )
        )
        self._handoffs = _series(
            Counter(
                "horizonai_handoffs",
                "Conversations that the assistant handed over to people, by cause.",
                ["client", "cause"],
                registry=registry,
            )
        )
        self._template_decisions = _series(
            Counter(
                "horizonai_template_decisions",
                "Decisions of Meta about templates, as the account's event stream reported them, by outcome.",
                ["client", "outcome"],
                registry=registry,
            )
        )
        self._canary_stops = _series(
            Counter(
                "horizonai_canary_stops",
                "Canaries that the runtime stopped, by reason.",
                ["client", "reason"],
                registry=registry,
            )
        )
        self._time_to_answer = _series(
            Histogram(
                "horizonai_time_to_answer_seconds",
                "From the oldest message of a turn to the first part of its answer handed to Twilio.",
                ["client"],
                registry=registry,
                buckets=ANSWER_BUCKETS,
            )
        )
        self._model_time = _series(
            Histogram(
                "horizonai_model_seconds",
                "The model's own time in a turn, without function calls.",
                ["client", "model"],
                registry=registry,
                buckets=MODEL_BUCKETS,
            )
        )
        self._tokens = _series(
            Counter(
                "horizonai_tokens",
                "Tokens. kind: input (not cached), cached (input), output.",
                ["client", "model", "kind"],
                registry=registry,
            )
        )
        self._cost = _series(
            Counter(
                "horizonai_cost_usd",
                "What was added to the ledger of usage, US dollars. `model` is empty for messages.",
                ["client", "kind", "model"],
                registry=registry,
            )
        )
        self._unpriced = _series(
            Counter(
                "horizonai_unpriced_usage",
                "Rows of the ledger without a known price: not in horizonai_cost_usd_total.",
                ["client", "kind", "model"],
                registry=registry,
            )
        )
        self._incomplete = _series(
            Counter(
                "horizonai_incomplete_answers",
                "Answers that were sent cut, since the model stopped before their end, by its provider's reason.",
                ["client", "reason"],
                registry=registry,
            )
        )
        self._uncounted = _series(
            Counter(
                "horizonai_uncounted_answers",
                "Answers whose usage the provider did not report: not in horizonai_tokens_total.",
                ["client", "model"],
                registry=registry,
            )
        )
        self._errors = _series(
            Counter(
                "horizonai_provider_errors", "Failed calls to a provider.", ["provider", "class"], registry=registry
            )
        )
        for provider, kind in product(PROVIDERS, ERROR_CLASSES):
            self._errors(provider, kind)
        self._sends = _series(
            Counter(
                "horizonai_sends",
                "Messages that were sent or failed for good. channel: twiml | rest.",
                ["client", "channel", "result"],
                registry=registry,
            )
        )
        self._undelivered = _series(
            Counter(
                "horizonai_undelivered",
                "Messages that reached no phone, by Twilio's error code.",
                ["client", "code"],
                registry=registry,
            )
        )
        self._sent_again = _series(
            Counter(
                "horizonai_sends_again",
                "Messages that are sent again, since they failed for a passing reason.",
                ["client", "code"],
                registry=registry,
            )
        )
        self._unsigned = _series(
            Counter(
                "horizonai_unsigned_requests",
                "Requests to the webhooks that no account of ours has signed.",
                ["reason"],
                registry=registry,
            )
        )
        for unsigned in get_args(UnsignedReason):
            self._unsigned(unsigned)
        self._refused_calls = _series(
            Counter(
                "horizonai_refused_calls",
                "Calls of the management API without a valid token.",
                ["reason"],
                registry=registry,
            )
        )
        for refused in get_args(RefusedCall):
            self._refused_calls(refused)
        registry.register(_DroppedLines())
        self._dropped = _series(
            Counter(
                "horizonai_connections_dropped",
                "Connections that were closed before their request had arrived, or for want of room.",
                ["reason"],
                registry=registry,
            )
        )
        for reason in get_args(DropReason):
            self._dropped(reason)
        self._retention = _series(
            Counter(
                "horizonai_retention_deleted",
                "Rows deleted since their retention was over.",
                ["client", "sort"],
                registry=registry,
            )
        )
        self._fallbacks = _series(
            Counter(
                "horizonai_fallback_turns",
                "Turns that the fallback model was asked to answer, since the client's model is not available.",
                ["client"],
                registry=registry,
            )
        )
        self._timers = _series(Counter("horizonai_timers", "Runs of timers.", ["kind", "result"], registry=registry))
        self._breaker = _series(
            Gauge(
                "horizonai_breaker_state",
                "Circuit breaker of a provider's account, or of one client or sender there (`scope`): 0 closed, 1 half"
                " open, 2 open.",
                ["provider", "account", "scope"],
                registry=registry,
            )
        )
        Gauge("horizonai_build_info", "The running version.", ["version"], registry=registry).labels(_version()).set(1)
        ProcessCollector(registry=registry)

    def inbound(self, client: str, result: InboundResult) -> None:
        """A webhook of a user's message was answered, or the sweep found a message without one."""
        self._sums.add(1, self._inbound, client, result)

    def turn(self, client: str, turn_id: int, received_at: str) -> _TurnUnderWay:
        """A turn has begun; `received_at` is the timestamp of its oldest message.

        The series of its possible results are created now, at 0: Prometheus sees no increase in a series that begins at
        1, so the first failure of a client would raise no alert, and the first saved reply would not be counted.
        """
        if client not in self._clients:
            self._clients.add(client)
            self._create_series(client)
        return _TurnUnderWay(self._in_flight(client), self._received, turn_id, received_at)

    def _create_series(self, client: str) -> None:
        self._turns(client, "dead", "")
        self._turns(client, "unanswered", "loop")
        self._turns(client, "unanswered", "no_reply")
        self._sends(client, "rest", "failed")
        for code in (*OF_CLIENT, NO_CODE, OTHER_CODE):
            self._undelivered(client, code)
        self._incomplete(client, "max_output_tokens")
        self._fallbacks(client)

    def turn_ended(self, client: str, result: TurnResult, reason: str = "") -> None:
        """A turn ended, or failed and will be retried. `reason`: the policy's reason for not answering."""
        self._sums.add(1, self._turns, client, result, reason)

    def fell_back(self, client: str) -> None:
        """A client's fallback model is asked, since its model is not available."""
        self._fallbacks(client).inc()

    def handed_over(self, client: str, cause: str) -> None:
        """The assistant handed a conversation over to people."""
        self._handoffs(client, cause).inc()

    def template_decided(self, client: str, outcome: str) -> None:
        """Meta has decided about a template: its status now, or `recategorised`."""
        self._template_decisions(client, outcome).inc()

    def canary_stopped(self, client: str, reason: str) -> None:
        """The runtime stopped a client's canary."""
        self._canary_stops(client, reason).inc()

    def sent(self, client: str, channel: str, turn_id: int | None) -> None:
        """A message was accepted by Twilio; the first one of a running turn is its answer."""
        self._sums.add(1, self._sends, client, channel, "sent")
        received = self._received.pop(turn_id, None) if turn_id is not None else None
        if received is not None:
            self._time_to_answer(client).observe(max(time.time() - received, 0.0))

    def not_sent(self, client: str, channel: str) -> None:
        """A message failed for good."""
        self._sends(client, channel, "failed").inc()

    def undelivered(self, client: str, code: str, count: int = 1) -> None:
        """Messages that Twilio had accepted, or that it refused, reached no phone and are not sent again."""
        self._undelivered(client, _known_code(code)).inc(count)

    def sent_again(self, client: str, code: str) -> None:
        """A message failed for a passing reason and is sent again."""
        self._sent_again(client, _known_code(code)).inc()

    def answered(self, client: str, model: str, seconds: float, usage: Usage) -> None:
        """A model answered a turn."""
        self._model_time(client, self._bounded(model)).observe(seconds)
        self.used(client, model, usage)

    def used(self, client: str, model: str, usage: Usage) -> None:
        """The token usage of an answer, or a later part of it, was reported."""
        model = self._bounded(model)
        for kind, count in (
            ("input", usage.input_tokens - usage.cached_tokens),
            ("cached", usage.cached_tokens),
            ("output", usage.output_tokens),
        ):
            if count > 0:
                self._sums.add(count, self._tokens, client, model, kind)

    def charged(self, client: str, lines: Iterable[Line]) -> None:
        """Rows were added to the ledger."""
        for line in lines:
            model = self._bounded(line.price.model) if line.price.model else ""
            amount = line.amount
            if amount is None:
                self._sums.add(1, self._unpriced, client, line.kind, model)
            else:
                self._sums.add(amount / NANOS, self._cost, client, line.kind, model)

    def incomplete(self, client: str, reason: str) -> None:
        """An answer was sent cut."""
        self._incomplete(client, reason if reason in INCOMPLETE_REASONS else "other").inc()

    def uncounted(self, client: str, model: str) -> None:
        """The usage of an answer is not known in full."""
        self._uncounted(client, self._bounded(model)).inc()

    def provider_error(self, provider: str, error: BaseException, status: int | None = None) -> None:
        """A call to a provider failed with this error of its SDK; `status` where the error does not have it."""
        self._errors(provider, error_class(error, status)).inc()

    def retention_run(self, client: str, deleted: Mapping[str, int]) -> None:
        """A run over a client's retention ended, with what it deleted."""
        for sort, count in deleted.items():
            self._retention(client, sort).inc(count)

    def timer_kind(self, kind: str) -> None:
        """This process runs timers of a kind; failures are there from now on, at 0."""
        self._timers(kind, "failed")

    def timer_run(self, kind: str, result: TimerResult) -> None:
        """A timer was run. One that failed is run again."""
        self._timers(kind, result).inc()

    def breaker(self, provider: str, account: str, scope: str, state: BreakerState) -> None:
        """A circuit breaker changed. `account` distinguishes the keys of a provider by a name, never by a secret;
        `scope` is a client or a sender, or empty for the breaker that all with the key share."""
        self._breaker(provider, account, scope).set(BREAKER_VALUES[state])

    def unsigned(self, reason: UnsignedReason) -> None:
        """A request to a webhook was refused before it was known to be Twilio's."""
        self._unsigned(reason).inc()

    def refused_call(self, reason: RefusedCall) -> None:
        """A call of the management API had no valid token."""
        self._refused_calls(reason).inc()

    def connection_dropped(self, reason: DropReason) -> None:
        """A caller's connection was closed: its request did not arrive in time, there were too many, or it was too
        large."""
        self._dropped(reason).inc()

    def exposition(
        self,
        backlog: Backlog | None,
        budgets: Mapping[str, float] = NO_BUDGETS,
        models: Mapping[tuple[str, str], int] = NO_MODELS,
        ratings: Mapping[str, RatingRecord] = NO_RATINGS,
    ) -> bytes:
        """The text that Prometheus scrapes; without a backlog when the store could not be read. `budgets`: how much of
        its budget each client has used up, where 1 is all of it. `models`: days until a client's model ends.
        `ratings`: what Meta said last of a client's number."""
        self._sums.count()
        return generate_latest(self.registry) + generate_latest(_of_store(backlog, budgets, models, ratings))

    def _bounded(self, model: str) -> str:
        if model in self._models or len(self._models) < MODELS_LIMIT:
            self._models.add(model)
            return model
        return OTHER_MODEL


def _known_code(code: str) -> str:
    """The label of an error code: codes come from a caller's form, so unknown ones share one label."""
    return code if code in DELIVERY_ERRORS or code == NO_CODE else OTHER_CODE


def client_label(bot: BotRecord | None) -> str:
    """The label that a bot is counted under."""
    return bot.label if bot else NO_CLIENT


def error_class(error: BaseException, status: int | None = None) -> str:
    """The class of a failed call, from the fields that the SDKs' and aiohttp's errors have in common."""
    status = status or getattr(error, "status_code", None) or getattr(error, "status", None)
    kind = getattr(error, "code", None) or getattr(error, "type", None)
    names = {base.__name__ for base in type(error).__mro__}
    if names & {"TimeoutError", "APITimeoutError"}:
        return "timeout"
    if kind == "insufficient_quota":
        return "quota"
    match status:
        case 401 | 403:
            return "auth"
        case 408 | 409 | 429:
            return "rate_limit"
        case int() if status >= 500:
            return "server"
        case int():
            return "refused"
    if names & {"APIConnectionError", "ClientError", "ConnectionError"}:
        return "connection"
    return "temporary" if "TemporaryError" in names else "other"


def _add_ratings(registry: CollectorRegistry, ratings: Mapping[str, RatingRecord]) -> None:
    quality = Gauge(
        "horizonai_sender_quality",
        "Meta's rating of a client's number: 3 high, 2 medium, 1 low; no series where there is none.",
        ["client"],
        registry=registry,
    )
    limit = Gauge(
        "horizonai_sender_limit",
        "People whom Meta lets a client's number write to first within 24 hours; no series where it is not known.",
        ["client"],
        registry=registry,
    )
    for client, rating in ratings.items():
        if rating.quality in QUALITIES:
            quality.labels(client).set(QUALITIES.index(rating.quality) + 1)
        people = people_a_day(rating)
        if people is not None:
            limit.labels(client).set(people)


def _of_store(
    backlog: Backlog | None,
    budgets: Mapping[str, float],
    models: Mapping[tuple[str, str], int],
    ratings: Mapping[str, RatingRecord],
) -> CollectorRegistry:
    registry = CollectorRegistry()
    Gauge("horizonai_store_up", "Whether the store answered.", registry=registry).set(backlog is not None)
    if backlog is None:
        return registry
    used = Gauge(
        "horizonai_budget_used_ratio",
        "How much of its budget of this month a client has used up; 1 is all of it.",
        ["client"],
        registry=registry,
    )
    for client, ratio in budgets.items():
        used.labels(client).set(ratio)
    left = Gauge(
        "horizonai_model_days_left",
        "Days until the provider shuts a client's model down, 0 once it has; no series without a known date.",
        ["client", "model"],
        registry=registry,
    )
    for (client, model), days in models.items():
        left.labels(client, model).set(days)
    _add_ratings(registry, ratings)
    depth = Gauge("horizonai_inbox_open", "Messages that wait for an answer.", ["client"], registry=registry)
    age = Gauge("horizonai_inbox_oldest_seconds", "Age of the oldest of them.", ["client"], registry=registry)
    for waiting in backlog.waiting:
        depth.labels(waiting.client).set(waiting.messages)
        age.labels(waiting.client).set(waiting.oldest_seconds)
    Gauge("horizonai_outbox_in_doubt", "Sends whose outcome is not recorded yet.", registry=registry).set(
        backlog.in_doubt
    )
    people = Gauge(
        "horizonai_conversations_with_people", "Conversations that people have.", ["client"], registry=registry
    )
    unanswered = Gauge(
        "horizonai_conversations_waiting", "Those in which no person has answered yet.", ["client"], registry=registry
    )
    for held in backlog.people:
        people.labels(held.client).set(held.conversations)
        unanswered.labels(held.client).set(held.waiting)
    asked = Gauge(
        "horizonai_privacy_requests",
        "What people asked for under the law and is not answered: open, due_soon (within 7 days), overdue.",
        ["client", "state"],
        registry=registry,
    )
    for one_state in backlog.requests:
        asked.labels(one_state.client, one_state.state).set(one_state.requests)
    Gauge("horizonai_dead_letters", "Turns that failed for good.", registry=registry).set(backlog.dead)
    timers = Gauge("horizonai_timers_waiting", "Timers in the store.", ["kind"], registry=registry)
    late = Gauge(
        "horizonai_timers_late_seconds", "How long the oldest has been due and is not run.", ["kind"], registry=registry
    )
    failing = Gauge("horizonai_timers_failing", "Timers whose last run failed.", ["kind"], registry=registry)
    for timer in backlog.timers:
        timers.labels(timer.kind).set(timer.waiting)
        late.labels(timer.kind).set(timer.late_seconds)
        failing.labels(timer.kind).set(timer.failing)
    free = Gauge(
        "horizonai_free_service_messages_left",
        "Service messages of a bot's number that Meta charges nothing for, until the end of the month in UTC.",
        ["client", "number"],
        registry=registry,
    )
    for one in backlog.free:
        free.labels(one.client, one.number).set(one.left)
    return registry


@cache
def _version() -> str:
    try:
        return version("horizonai-reconciler")
    except PackageNotFoundError:
        return "unknown"
