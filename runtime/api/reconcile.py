"""/reconcile/…: the reconciler's records in the store, for a reconciler without access to the database."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from runtime.api.endpoint import ApiEndpoint, Call, Reply, moment_of, page_of
from runtime.api.errors import ApiError
from runtime.api.models import AppliedBody, ClaimBody, LeaseBody, NoticeBody, NumbersBody, RenameBody, RunBody
from runtime.api.ownership import PAGE_QUERY, author_of
from runtime.store import catalog_changes, reconcile_reports, reconcile_state, sender_ratings, variants
from runtime.store.activity_records import (
    ActivityRecord,
    CanaryRecord,
    OlderRecord,
    RatingRecord,
    ReplyCounts,
    RetentionRecord,
    SpentRecord,
    UsageRecord,
    VariantRecord,
)
from runtime.store.audit import Entry, audited
from runtime.store.codec import to_document
from runtime.store.database.database import Database
from runtime.store.history_records import EditRecord, Lease, NoticeRecord, RunRecord
from runtime.store.messages import thrift
from runtime.store.records import AppliedRecord, DamagedRecord
from runtime.store.retention import runs as retention_runs
from schemas.reconcile_reports import RecordedReport


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
            ApiEndpoint(
                "POST",
                "/reconcile/reports",
                "Record what a run found, for the console; an older result than the recorded one is ignored.",
                self.report,
                status=204,
                body=RecordedReport,
            ),
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
            ApiEndpoint(
                "GET",
                "/reconcile/replies/{client}",
                "What a client's answers took, and how many replies were saved.",
                self.replies,
                answer=ReplyCounts,
                query={
                    "since": 'Timestamp of the first message that counts, like "2026-11-01T00:00:00.000Z".',
                    "until": "Timestamp of the first message after the period.",
                },
            ),
            ApiEndpoint(
                "GET",
                "/reconcile/usage",
                "What a client's answers used in the last 30 days.",
                self.usage,
                answer=list[UsageRecord],
                query={"client": "Id of the client."},
            ),
            ApiEndpoint(
                "GET",
                "/reconcile/spent",
                "What clients with a budget have spent this month.",
                self.spent,
                answer=list[SpentRecord],
            ),
            ApiEndpoint(
                "GET",
                "/reconcile/canaries",
                "Since when canaries are declared, and which of them were stopped.",
                self.canaries,
                answer=list[CanaryRecord],
            ),
            ApiEndpoint(
                "GET",
                "/reconcile/variants/{client}",
                "How the canary of a client and its other turns compare.",
                self.variants,
                answer=list[VariantRecord],
                query={
                    "since": 'Timestamp of the first turn that counts, like "2026-11-01T00:00:00.000Z", by its end.',
                    "until": "Timestamp of the first turn after the period.",
                },
            ),
            ApiEndpoint(
                "GET",
                "/reconcile/older/{client}",
                "How many of a client's messages are settled and older than a timestamp; a list of one.",
                self.older,
                answer=list[OlderRecord],
                query={"before": 'Timestamp of the last message that counts, like "2026-11-01T00:00:00.000Z".'},
            ),
            ApiEndpoint(
                "GET",
                "/reconcile/retention/{client}",
                "What was deleted of a client last, since its retention was over; a list of one, or empty.",
                self.retention,
                answer=list[RetentionRecord],
            ),
            ApiEndpoint(
                "GET",
                "/reconcile/ratings/{client}",
                "What Meta said of a client's number over time, the newest first: quality, limit, status.",
                self.ratings,
                answer=list[RatingRecord],
            ),
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
        return await self._database.write(reconcile_state.record_applied, record, call.caller.actor)

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
        entry = Entry("renamed", "client", client, client, fields=[f"formerly {asked.formerly}"])
        rename = reconcile_state.rename_client
        return await self._database.write(
            audited, call.caller.actor, entry, rename, asked.formerly, client, asked.managed_by
        )

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
        owner = call.query.get("owner", "")
        if not force:
            return await self._database.write(reconcile_state.release_lease, owner)
        entry, release = Entry("released", "lease", "apply"), reconcile_state.release_lease
        return await self._database.write(audited, call.caller.actor, entry, release, owner, force=True)

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

    async def report(self, call: Call) -> object:
        """POST /reconcile/reports"""
        return await self._database.write(reconcile_reports.record, call.body)

    async def edits(self, _call: Call) -> object:
        """GET /reconcile/edits"""
        return [to_document(edit) for edit in await self._database.read(reconcile_state.latest_edits)]

    async def activity(self, _call: Call) -> object:
        """GET /reconcile/activity"""
        return [to_document(item) for item in await self._database.read(reconcile_state.latest_activity)]

    async def replies(self, call: Call) -> object:
        """GET /reconcile/replies/{client}?since=&until="""
        since, until = (moment_of(call, name) for name in ("since", "until"))
        return to_document(await self._database.read(thrift.reply_counts, call.path["client"], since, until))

    async def usage(self, call: Call) -> object:
        """GET /reconcile/usage?client="""
        client = call.query.get("client")
        if not client:
            raise ApiError(400, "missing_field", "The query parameter client is required.", field="client")
        return [to_document(item) for item in await self._database.read(reconcile_state.recent_usage, client)]

    async def spent(self, _call: Call) -> object:
        """GET /reconcile/spent"""
        return [to_document(item) for item in await self._database.read(reconcile_state.spent_this_month)]

    async def canaries(self, _call: Call) -> object:
        """GET /reconcile/canaries"""
        return [to_document(item) for item in await self._database.read(variants.canaries)]

    async def variants(self, call: Call) -> object:
        """GET /reconcile/variants/{client}?since=&until="""
        since, until = (moment_of(call, name) for name in ("since", "until"))
        found = await self._database.read(variants.variants, call.path["client"], since, until, of_this=True)
        return [to_document(item) for item in found]

    async def older(self, call: Call) -> object:
        """GET /reconcile/older/{client}?before="""
        before = moment_of(call, "before")
        return [to_document(await self._database.read(retention_runs.older, call.path["client"], before))]

    async def retention(self, call: Call) -> object:
        """GET /reconcile/retention/{client}"""
        found = await self._database.read(retention_runs.list_runs, call.path["client"], 1)
        return [to_document(run) for run in found]

    async def ratings(self, call: Call) -> object:
        """GET /reconcile/ratings/{client}"""
        return [to_document(item) for item in await self._database.read(sender_ratings.of_client, call.path["client"])]

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
