"""The links of the chain, in the order in which a message passes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from reconciler.doctor.desk import examine_desk
from reconciler.doctor.link import Link
from reconciler.doctor.number import examine_number
from reconciler.doctor.probe import Probe, leads_inside, probe
from reconciler.doctor.secrets import UnknownSecrets, declares_secrets, read_missing_secrets
from reconciler.kinds.knowledge.live import searched
from reconciler.kinds.sender.desired import STATUS_PATH, our_webhook
from reconciler.kinds.sender.live import account_with, called_by
from reconciler.kinds.unmanaged_bots import live_engine_of
from reconciler.manifest import Manifest
from reconciler.model import AccountKey
from reconciler.observation.accounts import account_of
from reconciler.observation.live_state import Failed, LiveState, Store
from reconciler.readers.openai import VectorStore
from reconciler.readers.twilio import ONLINE, LiveSender
from reconciler.settings import Settings
from reconciler.status.budget import BudgetStatus, budget_text
from reconciler.status.facts import bot_of, days_left, sender_of
from reconciler.status.undelivered import undelivered
from runtime.store.activity_records import ActivityRecord
from runtime.store.client.history import UNDELIVERED_HOURS
from runtime.store.delivery_errors import OF_PERSON, delivery_error
from runtime.store.errors import damage, repair
from runtime.store.records import DamagedRecord
from schemas import FunctionTool
from schemas.addresses import whatsapp_address

NO_MESSAGE = "SM00000000000000000000000000000000"
"""Sid of a message that does not exist: the runtime checks the signature of a call about it, and stores nothing."""

NOT_SERVED = (404, 410)
"""Statuses of a path at which nothing is."""
NOT_IMPLEMENTED = 501
"""Status of a server that has the path and does not know the method OPTIONS."""


@dataclass(frozen=True, slots=True)
class Patient:
    """A client and everything that was read about it."""

    manifest: Manifest
    live_state: LiveState
    store: Store
    activity: ActivityRecord | None
    settings: Settings
    budget: BudgetStatus | None = None

    @property
    def account(self) -> AccountKey:
        """The Twilio account of its number."""
        return account_of(self.manifest, self.settings)

    @property
    def sender(self) -> LiveSender | Failed | None:
        """Its sender at Twilio."""
        return sender_of(self.manifest, self.live_state, self.settings)


def examine(patient: Patient) -> Iterator[Link]:
    """Every link, first to last."""
    for link in LINKS:
        yield from link(patient)


def _manifest(patient: Patient) -> Iterator[Link]:
    client = patient.manifest.client
    if client.state == "active":
        yield Link("manifest", True, f"{patient.manifest.path} declares it active")
    else:
        yield Link(
            "manifest", False, f"{patient.manifest.path} says `state: {client.state}`", "Set `state: active` there."
        )


def _sender(patient: Patient) -> Iterator[Link]:
    number, live = patient.manifest.client.number, patient.sender
    if isinstance(live, Failed):
        yield Link("sender", False, live.message, "Repair that first.")
        yield Link("online", None, "the sender could not be read")
        yield Link("webhook", None, "the sender could not be read")
        return
    if live is None:
        other = account_with(number, patient.live_state)
        fix = f"`reconcile verify {patient.manifest.client.id}` registers it."
        if other is not None:
            fix = f"It is in {other.describe()}: declare that as sender.account, or correct the account here."
        yield Link("sender", False, f"{number} is not a WhatsApp sender of {patient.account.describe()}", fix)
        yield Link("online", None, "there is no sender")
        yield Link("webhook", None, "there is no sender")
        return
    yield Link("sender", True, f"{number} is registered ({live.sid})")
    yield _online(patient, live)
    yield _webhook(patient, live)
    yield from examine_number(live, patient.account, patient.settings)


def _online(patient: Patient, live: LiveSender) -> Link:
    if live.status in ONLINE:
        return Link("online", True, f"it is {live.status}, quality {live.quality_rating or 'not rated yet'}")
    reasons = f" ({'; '.join(live.offline_reasons)})" if live.offline_reasons else ""
    waits = live.status in ("CREATING", "PENDING_VERIFICATION", "VERIFYING")
    fix = (
        f"`reconcile verify {patient.manifest.client.id}` continues its registration."
        if waits
        else "See the sender in Twilio's console."
    )
    return Link("online", False, f"it is {live.status}{reasons}", fix)


def _webhook(patient: Patient, live: LiveSender) -> Link:
    calls, wanted = called_by(live) or "no address", our_webhook(patient.settings)
    if calls == wanted:
        return Link("webhook", True, f"Twilio calls {wanted}")
    client = patient.manifest.client.id
    fix = f"`reconcile --client {client}` sets it; if it calls the right address, PUBLIC_URL is wrong."
    return Link("webhook", False, f"Twilio calls {calls}, and not {wanted}", fix)


def _runtime(patient: Patient) -> Iterator[Link]:
    health = probe("GET", f"{patient.settings.public_url}/health")
    if health.status != 200:
        fix = "Start the runtime, or repair DNS, certificate or proxy: journalctl -u horizonai-whatsapp-bot -n 50."
        yield Link("runtime", False, f"{patient.settings.public_url}/health: {health.said}", fix)
        yield Link("signature", None, "the runtime does not answer")
        return
    yield Link("runtime", True, f"{patient.settings.public_url} answers")
    yield _signature(patient)


def _signature(patient: Patient) -> Link:
    token = patient.settings.secret(patient.account.token_env)
    if patient.account.sid is None or token is None:
        return Link("signature", False, f"{patient.account.token_env} is not set here", "Set it, then ask again.")
    answer = _signed_probe(patient, patient.account.sid, token)
    if answer.status == 204:
        return Link("signature", True, "the runtime accepts this account's signature")
    if answer.status == 403:
        fix = (
            f"Give the runtime the same {patient.account.token_env} and PUBLIC_URL as here, and let no proxy change "
            "the path."
        )
        return Link("signature", False, "the runtime refuses this account's signature", fix)
    return Link(
        "signature", False, f"the runtime cannot process a signed call: {answer.said}", "See the runtime's log."
    )


def _signed_probe(patient: Patient, account_sid: str, token: str) -> Probe:
    from twilio.request_validator import RequestValidator

    url = f"{patient.settings.public_url}{STATUS_PATH}"
    form = {
        "AccountSid": account_sid,
        "MessageSid": NO_MESSAGE,
        "MessageStatus": "sent",
        "From": whatsapp_address(patient.manifest.client.number),
        "To": whatsapp_address("doctor"),
    }
    return probe("POST", url, form, {"X-Twilio-Signature": RequestValidator(token).compute_signature(url, form)})


def _bot(patient: Patient) -> Iterator[Link]:
    client = patient.manifest.client
    bot = bot_of(patient.manifest, patient.store)
    apply = f"`reconcile --client {client.id}` repairs it."
    damaged = _damaged(patient, "bots", client.id, client.number)
    if damaged is not None:
        yield Link("bot", False, damage(damaged), repair(damaged))
        yield Link("assistant", None, "the bot cannot be read")
        return
    holder = patient.store.bots_by_number.get(client.number)
    if holder is not None and holder.client not in (None, client.id):
        fix = f"`reconcile --client {client.id} --dry-run` shows how it gets its number."
        yield Link("bot", False, f"{client.number} is routed to the client {holder.client!r}", fix)
        yield Link("assistant", None, "messages go to another client's")
        return
    if bot is None:
        yield Link("bot", False, f"no bot routes {client.number}", apply)
        yield Link("assistant", None, "there is no bot")
        return
    if bot.twilio_phone_number != client.number:
        yield Link("bot", False, f"the bot {bot.id} routes {bot.twilio_phone_number}, and not {client.number}", apply)
    elif bot.state != "active":
        yield Link("bot", False, f"the bot {bot.id} is {bot.state}: messages are stored and not answered", apply)
    elif bot.client is None:
        fix = f"`reconcile adopt {client.id}` adopts it."
        yield Link("bot", True, f"{bot.id} routes {client.number}; it was created by hand. {fix}")
    else:
        yield Link("bot", True, f"{bot.id} routes {client.number} and is active")
    yield _assistant(patient, bot.assistant_id, apply)


def _assistant(patient: Patient, assistant_id: str | None, apply: str) -> Link:
    if assistant_id is None:
        return Link("assistant", True, "the bot has its own instructions")
    if assistant_id in patient.store.assistants:
        return Link("assistant", True, f"{assistant_id} (engine responses)")
    damaged = _damaged(patient, "assistants", assistant_id)
    if damaged is not None:
        return Link("assistant", False, damage(damaged), repair(damaged))
    engine = live_engine_of(assistant_id)
    live = patient.live_state.objects[engine] if engine else ()
    if isinstance(live, Failed):
        return Link("assistant", False, live.message, "Repair that first.")
    if any(item.id == assistant_id for item in live):
        return Link("assistant", True, f"{assistant_id} (engine {engine})")
    return Link("assistant", False, f"{assistant_id} does not exist", apply)


def _damaged(patient: Patient, table: str, *names: str) -> DamagedRecord | None:
    """A row of the bot store with one of these ids, or numbers, that cannot be read."""
    found = (record for name in names for record in patient.store.damaged_by_name.get(name, ()))
    return next((record for record in found if record.table == table), None)


def _openai(patient: Patient) -> Iterator[Link]:
    models, wanted = patient.live_state.models, patient.manifest.client.assistant.model
    if isinstance(models, Failed):
        yield Link("openai", False, models.message, "Repair that first; the runtime needs a valid key as well.")
        yield Link("model", None, "OpenAI could not be asked")
        return
    yield Link("openai", True, f"{patient.settings.openai_base_url} accepts the key")
    days = days_left(wanted, patient.live_state)
    if wanted not in models or (days is not None and days <= 0):
        fallback = patient.manifest.client.assistant.fallback_model
        instead = f"; its fallback model {fallback} answers" if fallback in models else ""
        fix = f"`reconcile upgrade-model {wanted} NEW` puts another one into the manifest."
        yield Link("model", False, f"{wanted} is not available to this key{instead}", fix)
    else:
        yield Link("model", True, wanted if days is None else f"{wanted}, which is shut down in {days} days")


def _documents(patient: Patient) -> Iterator[Link]:
    if patient.manifest.search is None:
        return
    live = searched(patient.manifest, patient.live_state, patient.store)
    if isinstance(live, Failed):
        yield Link("documents", False, live.message, "Repair that first.")
    elif live is None or live.status == "expired":
        said = "does not exist" if live is None else f"({live.id}) has expired"
        fix = f"`reconcile --client {patient.manifest.client.id} --dry-run` shows what to do."
        yield Link("documents", False, f"the vector store that it searches {said}", fix)
    else:
        yield _indexed(live)


def _indexed(live: VectorStore) -> Link:
    counts = live.counts
    found = f"{counts.completed} of {counts.total} files of {live.id} are indexed"
    if counts.failed:
        fix = "See the file's error in OpenAI's console (Storage, Vector stores), and replace the file."
        return Link("documents", False, f"{found}, {counts.failed} failed", fix)
    if not counts.total:
        return Link("documents", False, f"{live.id} holds no file", "Add files to it, or remove the tool file_search.")
    return Link("documents", True, f"{found}, {counts.in_progress} in progress" if counts.in_progress else found)


def _functions(patient: Patient) -> Iterator[Link]:
    for tool in patient.manifest.client.assistant.tools:
        if isinstance(tool, FunctionTool):
            yield _function(tool, allow_private=patient.settings.allow_private_endpoints)


def _function(tool: FunctionTool, *, allow_private: bool) -> Link:
    name, url = f"function {tool.name}", tool.endpoint.url
    if not allow_private and leads_inside(url):
        fix = "Serve the endpoint at a public address: the runtime calls no other."
        return Link(name, False, f"{url}: its name leads to an address that is not a public one", fix)
    answer = probe("OPTIONS", url)
    if answer.status in NOT_SERVED:
        fix = "Correct the path in the manifest's URL, or let the endpoint answer there."
        return Link(name, False, f"{url}: {answer.said}, nothing is served at this path", fix)
    # Any other answer is sufficient: an endpoint need not support OPTIONS, and the call has no effect.
    reached = answer.status is not None and (answer.status < 500 or answer.status == NOT_IMPLEMENTED)
    fix = "" if reached else "Start the endpoint, or correct its URL in the manifest."
    return Link(name, reached, f"{url}: {answer.said}", fix)


def _secrets(patient: Patient) -> Iterator[Link]:
    """The client's secrets where the runtime runs; those here say nothing about it."""
    client = patient.manifest.client.id
    if not declares_secrets(patient.manifest):
        return
    found = read_missing_secrets(patient.settings)
    if isinstance(found, UnknownSecrets):
        yield Link("secrets", None, f"it is not known whether they are set: {found.reason}")
    elif missing := found.get(client):
        said = "; ".join(f"{variable} is not set where the runtime runs ({use})" for variable, use in missing.items())
        yield Link("secrets", False, said, "Set it in the runtime's environment or its .env, and restart the runtime.")
    else:
        yield Link("secrets", True, "all that the client names are set where the runtime runs")


def _desk(patient: Patient) -> Iterator[Link]:
    """The client's desk, where people answer."""
    handoff = patient.manifest.client.handoff
    if handoff is not None and handoff.desk is not None:
        yield from examine_desk(patient.manifest.client, handoff.desk.chatwoot, patient.settings)


def _budget(patient: Patient) -> Iterator[Link]:
    """A budget that is used up, which may stop the answers."""
    budget = patient.budget
    if budget is None:
        return
    if budget.is_silent:
        fix = "Raise budget.monthly in the manifest and run `reconcile`, or wait for the next month (UTC)."
        yield Link("budget", False, f"the client is silent, since its budget is used up: {budget_text(budget)}", fix)
    else:
        yield Link("budget", True, budget_text(budget))


def _answers(patient: Patient) -> Iterator[Link]:
    heard = patient.activity
    if heard is None:
        yield Link("answer", True, "no message has arrived yet")
    elif heard.last_turn == "dead":
        fix = "Repair its cause; the next message is answered again."
        yield Link(
            "answer", False, f"the last message ({heard.last_message_at}) got no answer: {heard.last_error}", fix
        )
    elif heard.last_turn == "answered":
        yield Link("answer", True, f"the last message ({heard.last_message_at}) was answered")
    else:
        said = {"running": "is being answered", "unanswered": "was stored and not answered"}.get(str(heard.last_turn))
        yield Link("answer", True, f"the last message ({heard.last_message_at}) {said or 'waits for its turn'}")


def _delivery(patient: Patient) -> Iterator[Link]:
    """What Twilio reported of messages that it did not deliver; one that was delivered since repairs the link."""
    heard = patient.activity
    if heard is None:
        return
    code = heard.last_undelivered
    if code is not None and code not in OF_PERSON:
        error = delivery_error(code)
        says = undelivered(heard.undelivered or {code: 1})
        yield Link("delivery", False, f"the last answer reached no phone. {says}", f"{_sentence(error.fix)}.")
    elif heard.undelivered:
        yield Link("delivery", True, undelivered(heard.undelivered))
    else:
        yield Link("delivery", True, f"no message of the last {UNDELIVERED_HOURS} hours failed to reach its phone")


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


LINKS: tuple[Callable[[Patient], Iterator[Link]], ...] = (
    _manifest,
    _sender,
    _runtime,
    _secrets,
    _bot,
    _openai,
    _documents,
    _functions,
    _desk,
    _budget,
    _answers,
    _delivery,
)
