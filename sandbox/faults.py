"""Fault injection: rules that select calls and make them fail, deterministically when seeded.

Rules are data given by `PUT /_sandbox/faults`. This module decides *whether* a rule applies; `middleware` (calls),
`webhook_sender` (webhooks) and `delivery` (messages on their way to the phone) carry it out. Rules live in memory only:
a restarted sandbox is a healthy one.
"""

import asyncio
import random
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from sandbox.errors import InputError

PROVIDERS = ("openai", "twilio", "chatwoot")
CALL_KINDS = (
    "latency",  # `seconds` are added before the call is worked on, or less when the rules are replaced meanwhile
    "status",  # answers `status` (default 500) without doing anything
    "retry_after",  # answers 429 with Retry-After: `retry_after` without doing anything
    "timeout_before_write",  # nothing is done; the connection hangs for `seconds` (default 30), then closes
    "timeout_after_write",  # the call is done, its answer is not sent: hangs for `seconds` (default 30), then closes
    "drop_connection",  # nothing is done, the connection closes at once
    "cut_body",  # the call is done, the connection closes in the middle of the answer
    "drop_page",  # a list answers without its items, its paging intact
    "sparse_list",  # a list of senders answers with webhook and profile null
    "redirect",  # answers 307 to `url` without doing anything
)
BODY_KINDS = (
    "slow_body",  # the call is done, its answer's body takes `seconds` (default 30)
    "endless_body",  # the body is followed by zeros until the client hangs up, `seconds` (default 0) between 64 kB
    "wrong_type",  # the answer has `content_type` (default text/html)
    "wrong_length",  # Content-Length is `length` (default twice what there is); the connection closes after the body
)
"""For answers of any kind, and meant for the content of media, whose paths begin with the account: /AC…/SM…/ME…."""
WEBHOOK_KINDS = (
    "duplicate_webhook",  # the webhook is delivered twice, the second time after `seconds`
    "drop_webhook",  # the webhook is not sent: Chatwoot's only, which tries once
    "reorder_webhooks",  # the webhook is held back for a random time up to `seconds` (default 0.2)
)
DELIVERY_KINDS = (
    "reorder_parts",  # a message waits up to `seconds` (default 0.5) for the next one to its user, which overtakes it
    "undelivered",  # a message is accepted and ends as undelivered, with Twilio's error `code` (default 63012)
    "failed",  # the same, but it ends as failed
)
KINDS = CALL_KINDS + BODY_KINDS + WEBHOOK_KINDS + DELIVERY_KINDS
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


@dataclass(slots=True)
class Rule:
    """One fault. `containing` is a text in the body of the calls that it is for, `after` the number of matching calls
    that pass first, `times` the most calls that it affects, `nth` short for both.
    """

    kind: str
    provider: str | None = None
    method: str | None = None
    path: str = ""
    containing: str = ""
    status: int = 500
    body: Any = None
    retry_after: float = 1.0
    seconds: float | None = None
    rate: float = 1.0
    times: int | None = None
    after: int = 0
    nth: int | None = None
    seed: int = 0
    code: int = 63012
    url: str = ""
    content_type: str = "text/html"
    length: int | None = None
    seen: int = field(default=0, init=False)
    fired: int = field(default=0, init=False)
    _dice: random.Random = field(init=False, repr=False)
    _lifted: asyncio.Event = field(default_factory=asyncio.Event, init=False, repr=False)

    def __post_init__(self) -> None:
        self._dice = random.Random(self.seed)  # noqa: S311 - repeatable by design
        if self.nth is not None:
            self.after, self.times = self.nth - 1, 1

    def matches(self, provider: str, method: str, path: str, body: bytes) -> bool:
        if self.provider not in (None, provider) or self.method not in (None, method):
            return False
        if self.containing.encode() not in body:
            return False
        return fnmatchcase(path, self.path) if set("*?[") & set(self.path) else path.startswith(self.path)

    def applies(self) -> bool:
        """Counts one matching call and returns whether it is affected."""
        self.seen += 1
        if self.seen <= self.after or (self.times is not None and self.fired >= self.times):
            return False
        if self.rate < 1.0 and self._dice.random() >= self.rate:
            return False
        self.fired += 1
        return True

    async def delay(self) -> None:
        """Holds a call for `seconds` (default 0.2), or until other rules are put in place of this one."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self.hold(0.2)):
                await self._lifted.wait()

    def lift(self) -> None:
        """Lets the calls that it delays continue."""
        self._lifted.set()

    def hold(self, default: float) -> float:
        return default if self.seconds is None else self.seconds

    def random_hold(self, default: float) -> float:
        return self._dice.random() * self.hold(default)

    def as_json(self) -> dict[str, Any]:
        names = (*_FIELDS, "seen", "fired")
        return {name: value for name in names if (value := getattr(self, name)) is not None}


_FIELDS: dict[str, tuple[type, ...]] = {
    "kind": (str,),
    "provider": (str,),
    "method": (str,),
    "path": (str,),
    "containing": (str,),
    "status": (int,),
    "body": (dict, str, list),
    "retry_after": (int, float),
    "seconds": (int, float),
    "rate": (int, float),
    "times": (int,),
    "after": (int,),
    "nth": (int,),
    "seed": (int,),
    "code": (int,),
    "url": (str,),
    "content_type": (str,),
    "length": (int,),
}


class Faults:
    """The rules in force."""

    def __init__(self) -> None:
        self.rules: list[Rule] = []

    def replace(self, document: object) -> None:
        """Takes the body of `PUT /_sandbox/faults`. Raises InputError with a sentence for the caller; then nothing
        changes.
        """
        if not isinstance(document, dict) or not document.keys() <= {"rules"}:
            raise InputError('faults are an object {"rules": [...]}; {} clears them')
        rules = document.get("rules", [])
        if not isinstance(rules, list):
            raise InputError("'rules' is a list")
        former, self.rules = self.rules, [_rule(item, f"rules[{index}]") for index, item in enumerate(rules)]
        for rule in former:
            rule.lift()

    def matching(
        self, provider: str, method: str, path: str, kinds: Iterable[str], body: bytes = b""
    ) -> Iterator[Rule]:
        """The rules that affect this call, in the order given. Each rule that is read counts the call once."""
        for rule in self.rules:
            if rule.kind in kinds and rule.matches(provider, method, path, body) and rule.applies():
                yield rule

    def clear(self) -> None:
        self.rules = []


def _rule(item: object, where: str) -> Rule:
    if not isinstance(item, dict):
        raise InputError(f"{where} is an object")
    for key, value in item.items():
        if key not in _FIELDS:
            raise InputError(f"{where}: unknown key {key!r}; allowed are: {', '.join(_FIELDS)}")
        if isinstance(value, bool) or not isinstance(value, _FIELDS[key]):
            raise InputError(f"{where}: {key!r} cannot be {value!r}")
    for key, allowed in (("kind", KINDS), ("provider", PROVIDERS), ("method", METHODS)):
        if key in item and item[key] not in allowed:
            raise InputError(f"{where}: {key!r} is one of {', '.join(allowed)}, not {item[key]!r}")
    if "kind" not in item:
        raise InputError(f"{where}: 'kind' is missing; it is one of {', '.join(KINDS)}")
    if item["kind"] == "redirect" and not item.get("url"):
        raise InputError(f"{where}: a redirect needs 'url'")
    return Rule(**item)
