"""Adds to a plan what it does to clients' costs, from what they used in the last 30 days."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, cast

from reconciler.manifest import Fleet
from reconciler.model import Finding, Plan
from reconciler.observation.live_state import LiveState, Store
from reconciler.planning.estimates import PriceOf, clients_to_estimate, estimates
from reconciler.settings import Settings
from runtime.store.client.history import read_usage
from runtime.store.errors import StoreError
from runtime.store.tariffs_record import TARIFFS

if TYPE_CHECKING:
    from schemas.tariffs import Tariffs


def with_estimates(plan: Plan, fleet: Fleet, live_state: LiveState, settings: Settings) -> Plan:
    """The plan with its estimates. Asks the store only if anything can be estimated.

    They are optional for a plan: a failed read is a warning.
    """
    clients = clients_to_estimate(plan)
    if not clients or not isinstance(live_state.store, Store):
        return plan
    try:
        used = read_usage(settings.bot_store_url, settings.api_token, clients, settings.timeout)
    except StoreError as error:
        missing = Finding("warning", f"what the changes cost could not be estimated: {error}")
        return replace(plan, findings=[*plan.findings, missing])
    return replace(plan, estimates=estimates(plan, used, prices(fleet, live_state.store)))


def prices(fleet: Fleet, store: Store | None) -> PriceOf:
    """The prices that hold after the next apply; `store`: None where it could not be read."""

    def price_of(kind: str, model: str) -> Fraction | None:
        from schemas.prices import ModelKind, price

        unit = price(_tariffs(fleet, store), cast(ModelKind, kind), model=model)
        return None if unit.nano_usd is None else Fraction(unit.nano_usd, unit.per)

    return price_of


def _tariffs(fleet: Fleet, store: Store | None) -> Tariffs:
    """Those that hold after the next apply."""
    if fleet.tariffs is not None:
        return fleet.tariffs.tariffs
    if store is not None and store.tariffs is not None:
        from schemas.tariffs import Tariffs

        return Tariffs.model_validate(store.tariffs[TARIFFS])
    from schemas.default_tariffs import DEFAULT

    return DEFAULT
