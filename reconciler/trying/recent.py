"""A client's recent questions as cases, without who wrote them: what is asked again when two assistants are compared.

    store ──► turns with pseudonyms ──► a person reads them ──► cases that expect nothing ──► both assistants

The pseudonyms are made where the store is, so that nothing else leaves it. Nothing is recorded.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pydantic import ValidationError

from reconciler.errors import InvalidSetting, ReconcileError
from reconciler.manifest import Manifest
from reconciler.manifest.cases import DeclaredCase
from reconciler.settings import Settings
from reconciler.trying.candidate import TIMEZONE
from runtime.store.audit import Actor
from runtime.store.client.replays import read_recent
from runtime.store.encryption import keyring
from runtime.store.errors import StoreError
from runtime.store.messages.replayed_case import case_of
from runtime.store.messages.replays import ReplayedTurn
from runtime.store_keys import parse_keys
from schemas.cases import Case
from terminal.person import session_address, user_at_host


def recent_cases(manifest: Manifest, settings: Settings, count: int) -> Sequence[DeclaredCase]:
    """The newest answered questions of a client that can be cases, the newest first. Raises ReconcileError where its
    manifest does not allow that, or the store's copy of it, or there is none."""
    client, data = manifest.client.id, manifest.client.data
    if data is not None and data.is_tight:
        raise ReconcileError(
            f"{manifest.path} declares sensitive data (`data.sensitive`, `data.minors`): its questions are never tried "
            "again."
        )
    if data is None or not data.replay:
        raise ReconcileError(
            f"{manifest.path} does not allow that recent questions are tried again. Add `data: {{replay: true}}` once "
            "its people's data may be used so."
        )
    actor = Actor(user_at_host(), "cli", session_address())
    try:
        keyring.use(parse_keys(settings.environment.get("STORE_KEY")))
        found = read_recent(settings.bot_store_url, settings.api_token, actor, client, count, settings.timeout)
    except ValueError as error:
        raise InvalidSetting(f"STORE_KEY {error}.") from error
    except StoreError as error:
        raise ReconcileError(str(error)) from error
    cases = [case for turn in found if (case := _case(turn)) is not None]
    if not cases:
        raise ReconcileError(f"{client} has answered nothing yet that could be asked again.")
    return cases


def questions_text(cases: Sequence[DeclaredCase]) -> str:
    """What leaves with these cases, for the person who decides: everything that a model would read of them."""
    return "".join(f"{line}\n" for case in cases for line in _lines(case))


def _lines(case: DeclaredCase) -> Iterator[str]:
    yield f"{case.name}, {case.case.at}"
    for exchange in case.case.conversation:
        said = exchange.say or []
        yield from (f"  person: {text}" for text in said)
        if exchange.answered is not None:
            yield f"  answer: {exchange.answered}"
    for fixture in case.case.functions:
        yield f"  {fixture.name}({fixture.arguments or ''}) → {fixture.answer}"


def _case(turn: ReplayedTurn) -> DeclaredCase | None:
    """A turn as a case; None for one that no case can hold, such as a text that is too long."""
    name = f"turn-{turn.turn}"
    try:
        case = Case.model_validate(case_of(turn, TIMEZONE, None))
    except ValidationError:
        return None
    return DeclaredCase(name, case, f"turn {turn.turn}", {})
