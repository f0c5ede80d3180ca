"""The tariffs that hold in this installation: those of the last apply, else the packaged ones."""

from __future__ import annotations

import json

from pydantic import ValidationError
from sqlalchemy import Connection, select

from runtime.store.errors import StoreError
from runtime.store.records import INSTALLATION
from runtime.store.tables import applied
from runtime.store.tariffs_record import KIND, TARIFFS
from schemas.default_tariffs import DEFAULT
from schemas.tariffs import Tariffs


def stored_tariffs(connection: Connection) -> Tariffs:
    """What `schemas.prices.price` asks. Raises `StoreError` for a record that this program cannot read: a price that is
    not known must not become another one."""
    record = select(applied.c["values"]).where(applied.c.client == INSTALLATION, applied.c.kind == KIND)
    found = connection.execute(record).scalar()
    if found is None:
        return DEFAULT
    try:
        return Tariffs.model_validate(json.loads(found)[TARIFFS])
    except (ValidationError, ValueError, KeyError, TypeError) as error:
        raise StoreError(
            "The tariffs in the store cannot be read by this program; `reconcile` writes those of tariffs.yaml again."
        ) from error
