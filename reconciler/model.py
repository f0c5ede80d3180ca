"""The values that flow from observing to applying: live objects, changes, findings.

Everything here is frozen data. A plan can be saved, compared, counted and rendered without touching a provider, and
applying is a function of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from reconciler.origin import Origin
from reconciler.recipient import ShownRecipient

if TYPE_CHECKING:
    from runtime.store.history_records import EditRecord

KindName = Literal["knowledge", "template", "assistant", "content", "bot", "sender", "tariffs", "event_stream"]
"""What a change is about: a client's live object, the installation's tariffs, or a Twilio account's event stream."""
Action = Literal["create", "update", "delete", "detach", "adopt", "rename"]
Reason = Literal["config", "drift", "both"]
Severity = Literal["error", "withheld", "warning", "notice"]
Values = Mapping[str, Any]

KIND_ORDER: Final[tuple[KindName, ...]] = ("knowledge", "template", "assistant", "content", "bot", "sender")
"""The kinds of a client's live objects, in the fixed order of creates and updates: traffic is switched on last. Deletes
run in reverse order."""

DESTRUCTIVE: Final[tuple[Action, ...]] = ("delete", "detach")
"""The destructive actions."""

MANAGED_BY: Final = "horizonai-reconciler"
"""The owner's name in every marker."""

SHOWN: Final = "shown"
"""In the values of a last apply: what the provider made of some of them, by field."""

UNKNOWN_ID: Final = "(known after apply)"
"""Stands for the id of a live object that the same plan creates."""


class AccountKey(NamedTuple):
    """A Twilio account and the name of the variable that holds its token."""

    sid: str | None
    token_env: str

    def describe(self) -> str:
        """Its name in sentences."""
        return f"Twilio account {self.sid}" if self.sid else "the Twilio account"


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One declared field that differs."""

    steps: tuple[str | int, ...]
    old: Any
    new: Any

    @property
    def path(self) -> str:
        """The field's path, for people: `webhook.callback_url`, `tools[0].name`."""
        text = ""
        for step in self.steps:
            text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
        return text


@dataclass(frozen=True, slots=True)
class Change:
    """One write that makes one resource of one client equal to what is declared."""

    client: str
    kind: KindName
    action: Action
    key: str
    """The resource's name for people: a number, or the assistant's engine and name."""
    live_id: str | None
    """The provider's id; None for a create."""
    fields: Sequence[FieldChange]
    after: Values
    """All declared values once it is applied; empty for a delete."""
    reason: Reason
    before: Values | None = None
    """The live object as read, for writes that must send undeclared fields back; never rendered, not in the digest."""
    depends_on: Sequence[str] = ()
    """Ids of changes that must be applied first."""
    source: str | None = None
    """The manifest that declares it, None for a removed client; not in the digest, since renaming a file changes
    nothing."""
    account: AccountKey | None = None
    """The Twilio account of the client's number."""
    moves: Mapping[str, str] = field(default_factory=dict)
    """Numbers that bots, by id, get with this change; the change of each of them shows its own."""
    replaces: str | None = None
    """Id of the bot of a leaving client whose number passes to this one: deleted in the same step, so that the number
    always routes to one of the two."""
    edit: EditRecord | None = None
    """Who changed it live, and when, where an API reports it; not in the digest, since the write is the same for any
    author."""
    is_one_of_several: bool = False
    """Whether other objects of the client with the same key get the same change."""

    @property
    def id(self) -> str:
        """Unique within a plan, stable between plans of the same content."""
        name = f"{self.client}/{self.kind}/{self.action}/{self.key}"
        return f"{name}/{self.live_id}" if self.is_one_of_several else name


@dataclass(frozen=True, slots=True)
class Finding:
    """A message about a client or the fleet: what is wrong, where, what to do next."""

    severity: Severity
    """`withheld`: declared, and not ready yet; no failure."""
    message: str
    client: str | None = None
    kind: KindName | None = None
    is_drift: bool = False
    """Whether it tells of a live change that nothing here undoes."""


@dataclass(frozen=True, slots=True)
class Orphan:
    """A live object with our marker that no manifest declares any more."""

    client: str
    kind: KindName
    key: str
    live_id: str


@dataclass(frozen=True, slots=True)
class Unmanaged:
    """A live object without our marker: listed, never touched."""

    kind: KindName
    key: str
    """Its name for people: a name or a number."""
    live_id: str


@dataclass(frozen=True, slots=True)
class TemplateState:
    """What Meta says about one of a client's templates."""

    client: str
    name: str
    """In the manifest."""
    content: str
    """Its name at Twilio."""
    sid: str
    declared: str
    """Its category in the manifest."""
    category: str | None
    """What Meta charges it as; None before it is submitted."""
    status: str
    """unsubmitted, received, pending, approved, rejected, paused, disabled; an open list."""
    rejection_reason: str


@dataclass(frozen=True, slots=True)
class Binding:
    """A live object that is as declared, but not recorded as applied: a run was interrupted before it could record
    it."""

    client: str
    kind: KindName
    live_id: str
    values: Values


@dataclass(frozen=True, slots=True)
class Estimate:
    """What changes of a client do to the costs of its month, from its own last 30 days."""

    client: str
    answers: int
    """In those 30 days."""
    nano_usd: int | None
    """10⁻⁹ USD more a month; None where no price is known."""
    tokens: int = 0
    """By how many tokens, about, the instructions get longer."""
    models: tuple[str, str] | None = None
    """The former and the coming model, where another one answers."""
    dropped_tools: Sequence[str] = ()
    """Tools that the assistant loses, of those that cost something by themselves."""


@dataclass(frozen=True, slots=True)
class Plan:
    """All changes of one run, and all that it found."""

    changes: Sequence[Change]
    findings: Sequence[Finding]
    orphans: Sequence[Orphan]
    unresolved: Sequence[str]
    """Clients of which a source could not be read; nothing of them is changed or deleted."""
    clients: int
    """Number of manifests that the plan considered."""
    names: Mapping[str, str] = field(default_factory=dict)
    """Clients' display names, by id, for people who do not know the ids; not in the digest."""
    unread: Sequence[str] = ()
    """Names of the sources that could not be read, for which clients are unresolved, or would be."""
    unmanaged: Sequence[Unmanaged] = ()
    """Live objects without our marker, which were left unchanged."""
    unrecorded: Sequence[Binding] = ()
    """Recorded by the next apply; no provider is called for them."""
    forgotten: Sequence[tuple[str, KindName]] = ()
    """Records of removed clients, deleted by the next apply."""
    settled: Sequence[tuple[str, KindName]] = ()
    """Clients and kinds of which an interrupted run was creating something, by now found or known not to exist; the
    next apply forgets that."""
    origin: Origin | None = None
    """Whose objects the records are, to be recorded by the next apply; None where that is recorded already."""
    adoptions: Sequence[Change] = ()
    """Objects created by hand that are already as declared: the next apply puts our marker on them and records them.
    Their `fields` are what that makes explicit, such as a bot's instructions that become the assistant's own."""

    templates: Sequence[TemplateState] = ()
    """Of all clients, as Meta shows them now; not in the digest."""

    estimates: Sequence[Estimate] = ()
    """Of clients with a history; not in the digest."""

    recipients: Sequence[ShownRecipient] = ()
    """Who newly gets people's data, and who does without leave; not in the digest."""

    @property
    def errors(self) -> Sequence[Finding]:
        """Findings that lead to the exit code of an error."""
        return [finding for finding in self.findings if finding.severity == "error"]

    @property
    def lasting_drift(self) -> Sequence[Finding]:
        """Live changes that nothing here undoes: a template that Meta paused, a Messaging Service that takes
        messages."""
        return [finding for finding in self.findings if finding.is_drift]

    @property
    def reminders(self) -> Sequence[Finding]:
        """What an operator has to decide although nothing differs: a canary that is over."""
        return [finding for finding in self.findings if (finding.kind, finding.severity) == ("bot", "warning")]

    @property
    def withheld(self) -> Sequence[str]:
        """Clients of which a part waits for something outside of git, such as a number's registration. They are listed,
        and no failure: the run did all that there is to do now."""
        return sorted(
            {finding.client for finding in self.findings if finding.severity == "withheld" and finding.client}
        )

    @property
    def work(self) -> Sequence[Change]:
        """Everything that applying does, in its order: a client's adoptions come before its changes."""
        return [*self.adoptions, *self.changes]

    @property
    def touched(self) -> set[str]:
        """Clients with a change; the installation's own is none of theirs."""
        return {change.client for change in self.changes if change.kind in KIND_ORDER}

    def count(self, *actions: Action) -> int:
        """Number of changes with one of these actions."""
        return sum(change.action in actions for change in self.changes)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of one change."""

    change: Change
    status: Literal["applied", "failed", "skipped"]
    error: str | None = None
    live_id: str | None = None
    note: str | None = None
    """What the provider made of applied values, where it shows others."""
    trace: str | None = None
    """The traceback of an unexpected error, for the log."""
