"""/reconcile/…: the reconciler's records in the store, for a reconciler without access to the database."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from runtime.api.endpoint import ApiEndpoint, Call, Reply, page_of
from runtime.api.errors import ApiError
from runtime.api.models import AppliedBody, ClaimBody, LeaseBody, NoticeBody, NumbersBody, RenameBody, RunBody
from runtime.api.ownership import PAGE_QUERY, author_of
from runtime.store import catalog_changes, reconcile_state
from runtime.store.codec import to_document
from runtime.store.database.database import Database
from runtime.store.records import (
    ActivityRecord,
    AppliedRecord,
    DamagedRecord,
    EditRecord,
    Lease,
    NoticeRecord,
    RunRecord,
)


class Reconcile:
    """Handlers of /reconcile/…"""

    def __init__(self, database: Database) -> None:
        self._database = database

    def endpoints(self) -> list[ApiEndpoint]:
        """The endpoints served."""
        applied, lease, runs = "/reconcile/applied", "/reconcile/lease", "/reconcile/runs"
        one = applied + "/{client}/{kind}"
        page = PAGE_QUERY | {"after": "client/kind of the last one of the previous page."}
        release = {"owner": "Owner of the lease.", "force": "`true` releases another owner's lease as well."}
        return [
            *self._drift_endpoints(),
            ApiEndpoint(
                "GET",
                applied,
                "List last applied values.",
                self.applied,
                answer=list[AppliedRecord | DamagedRecord],
                query=page,
            ),
            ApiEndpoint("PUT", one, "Store last applied values.", self.keep, status=204, body=AppliedBody),
            ApiEndpoint("DELETE", one, "Delete last applied values.", self.forget, status=204),
            ApiEndpoint("GET", lease, "Get the lease.", self.lease, answer=Lease),
            ApiEndpoint("POST", lease, "Acquire the lease.", self.acquire, body=LeaseBody, answer=Lease),
            ApiEndpoint("PUT", lease, "Renew the lease.", self.renew, body=LeaseBody, answer=Lease),
            ApiEndpoint("DELETE", lease, "Release the lease.", self.release, status=204, query=release),
            ApiEndpoint(
                "GET",
                runs,
                "List runs, newest first.",
                self.runs,
                answer=list[RunRecord],
                query={"limit": PAGE_QUERY["limit"]},
            ),
            ApiEndpoint(
                "POST",
                runs,
                "Record the start of a run; the same one again is answered 200.",
                self.begin,
                status=201,
                body=RunBody,
                answer=RunRecord,
            ),
            ApiEndpoint("PUT", runs + "/{id}", "Record the result of a run.", self.finish, status=204, body=RunBody),
            ApiEndpoint("PUT", "/reconcile/clients/{id}", "Rename a client.", self.rename, status=204, body=RenameBody),
            ApiEndpoint(
                "PUT", "/reconcile/numbers", "Move bots to other numbers.", self.move, status=204, body=NumbersBody
            ),
        ]

    def _drift_endpoints(self) -> list[ApiEndpoint]:
        edits, notices, activity = "/reconcile/edits", "/reconcile/notices", "/reconcile/activity"
        notice = notices + "/{channel}/{finding}"
        return [
            ApiEndpoint(
                "GET", edits, "The last change by hand of declared objects.", self.edits, answer=list[EditRecord]
            ),
            ApiEndpoint("GET", activity, "When bots were last used.", self.activity, answer=list[ActivityRecord]),
            ApiEndpoint("GET", notices, "Findings of drift that were sent.", self.notices, answer=list[NoticeRecord]),
            ApiEndpoint("PUT", notice, "Record that one was sent.", self.put_notice, status=204, body=NoticeBody),
            ApiEndpoint("DELETE", notice, "Delete that record.", self.forget_notice, status=204),
            ApiEndpoint(
                "POST",
                notice + "/claim",
                "Claim to send a finding, or its resolution: one run at a time.",
                self.claim_notice,
                body=ClaimBody,
                answer=dict[str, bool],
            ),
            ApiEndpoint(
                "DELETE",
                notice + "/claim",
                "Release the claim.",
                self.release_claim,
                status=204,
                query={"owner": "Owner of the claim."},
            ),
        ]

    async def applied(self, call: Call) -> object:
        """GET /reconcile/applied"""
        limit, after = page_of(call)
        client, _, kind = (after or "").partition("/")
        records = await self._database.read(reconcile_state.list_applied, limit, (client, kind) if after else None)
        return [to_document(record) for record in records]

    async def keep(self, call: Call) -> object:
        """PUT /reconcile/applied/{client}/{kind}"""
        record = AppliedRecord(call.path["client"], call.path["kind"], **call.body.model_dump())
        return await self._database.write(reconcile_state.record_applied, record)

    async def forget(self, call: Call) -> object:
        """DELETE /reconcile/applied/{client}/{kind}"""
        return await self._database.write(reconcile_state.forget_applied, call.path["client"], call.path["kind"])

    async def move(self, call: Call) -> object:
        """PUT /reconcile/numbers"""
        return await self._database.write(
            catalog_changes.move_numbers, call.body.numbers, call.body.replacing, author_of(call)
        )

    async def rename(self, call: Call) -> object:
        """PUT /reconcile/clients/{id}"""
        asked, client = call.body, call.path["id"]
        return await self._database.write(reconcile_state.rename_client, asked.formerly, client, asked.managed_by)

    async def lease(self, _call: Call) -> object:
        """GET /reconcile/lease"""
        lease = await self._database.read(reconcile_state.current_lease)
        if lease is None:
            raise ApiError(404, "not_found", "No lease is held.")
        return asdict(lease)

    async def acquire(self, call: Call) -> object:
        """POST /reconcile/lease"""
        lease = await self._database.write(reconcile_state.acquire_lease, call.body.owner, call.body.ttl_seconds)
        return asdict(lease)

    async def renew(self, call: Call) -> object:
        """PUT /reconcile/lease"""
        lease = await self._database.write(reconcile_state.renew_lease, call.body.owner, call.body.ttl_seconds)
        return asdict(lease)

    async def release(self, call: Call) -> object:
        """DELETE /reconcile/lease?owner="""
        force = call.query.get("force") == "true"
        if not force and not call.query.get("owner"):
            raise ApiError(400, "missing_field", "The query parameter owner is required.", field="owner")
        return await self._database.write(reconcile_state.release_lease, call.query.get("owner", ""), force=force)

    async def runs(self, call: Call) -> object:
        """GET /reconcile/runs"""
        limit, _ = page_of(call)
        return [to_document(record) for record in await self._database.read(reconcile_state.list_runs, limit or 20)]

    async def begin(self, call: Call) -> object:
        """POST /reconcile/runs"""
        run, is_new = await self._database.write(reconcile_state.start_run, _run(call))
        return Reply(201 if is_new else 200, to_document(run))

    async def finish(self, call: Call) -> object:
        """PUT /reconcile/runs/{id}"""
        return await self._database.write(reconcile_state.finish_run, _run(call))

    async def edits(self, _call: Call) -> object:
        """GET /reconcile/edits"""
        return [to_document(edit) for edit in await self._database.read(reconcile_state.latest_edits)]

    async def activity(self, _call: Call) -> object:
        """GET /reconcile/activity"""
        return [to_document(item) for item in await self._database.read(reconcile_state.latest_activity)]

    async def notices(self, _call: Call) -> object:
        """GET /reconcile/notices"""
        return [to_document(notice) for notice in await self._database.read(reconcile_state.list_notices)]

    async def put_notice(self, call: Call) -> object:
        """PUT /reconcile/notices/{channel}/{finding}"""
        record = NoticeRecord(call.path["channel"], call.path["finding"], **call.body.model_dump())
        return await self._database.write(reconcile_state.put_notice, record)

    async def claim_notice(self, call: Call) -> object:
        """POST /reconcile/notices/{channel}/{finding}/claim"""
        asked = call.body
        claimed = await self._database.write(
            reconcile_state.claim_notice,
            call.path["channel"],
            call.path["finding"],
            asked.fingerprint,
            asked.owner,
            asked.ttl_seconds,
        )
        return {"claimed": claimed}

    async def release_claim(self, call: Call) -> object:
        """DELETE /reconcile/notices/{channel}/{finding}/claim?owner="""
        channel, finding = call.path["channel"], call.path["finding"]
        owner = call.query.get("owner", "")
        return await self._database.write(reconcile_state.release_claim, channel, finding, owner)

    async def forget_notice(self, call: Call) -> object:
        """DELETE /reconcile/notices/{channel}/{finding}"""
        return await self._database.write(reconcile_state.forget_notice, call.path["channel"], call.path["finding"])


def _run(call: Call) -> RunRecord:
    fields: dict[str, Any] = call.body.model_dump()
    return RunRecord(**fields)
