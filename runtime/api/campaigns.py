"""/campaigns/: sends of a template to a list of people. Each needs the scope `campaigns`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from runtime.api.auth import Caller
from runtime.api.endpoint import ApiEndpoint, Call
from runtime.api.errors import ApiError
from runtime.api.models import CampaignCreate
from runtime.delivery.campaigns import CampaignEstimate, CampaignRefused, CampaignRequest, Campaigns
from runtime.delivery.templates import ApprovalUnknown, TemplateRefused
from runtime.store import catalog
from runtime.store.audit import Actor
from runtime.store.database.database import Database
from runtime.store.messages import campaigns
from runtime.store.messages.campaigns import Campaign, CampaignReport, CampaignRow, OtherCampaign
from runtime.store.records import BotRecord
from runtime.twilio.accounts import AccountError
from schemas.addresses import whatsapp_address


@dataclass(frozen=True, slots=True)
class CampaignDocument:
    """A campaign as it is now. `state`: running | stopped | done; `reason`: why it waits or was stopped. `rows`: people
    by state; `statuses`: Twilio's; `codes`: Twilio's, of what did not arrive. Amounts are 10⁻⁹ USD."""

    id: str
    bot_id: str
    template: str
    basis: str
    created_by: str
    state: str
    reason: str | None
    total: int
    rows: Mapping[str, int]
    statuses: Mapping[str, int]
    codes: Mapping[str, int]
    unit_cost: int
    people: int | None
    """Who did not have it before this call."""
    cost: int | None
    """Of those, at most."""


class CampaignLists:
    """Handlers of /campaigns/."""

    def __init__(self, database: Database, runs: Campaigns) -> None:
        self._database = database
        self._campaigns = runs

    def endpoints(self) -> Sequence[ApiEndpoint]:
        """The endpoints served."""
        one = "/campaigns/{id}"
        return [
            ApiEndpoint(
                "POST",
                "/campaigns/",
                "Send a template to a list of people, each once. Every row is checked, and the cost held against the "
                "client's budget, before the first message. Who opted out is left out.",
                self.create,
                status=201,
                body=CampaignCreate,
                answer=CampaignDocument,
                needs="campaigns",
                is_per_client=True,
            ),
            ApiEndpoint(
                "GET",
                one,
                "How far a campaign is.",
                self.get,
                answer=CampaignDocument,
                needs="campaigns",
                is_per_client=True,
            ),
            ApiEndpoint(
                "POST",
                f"{one}/stop",
                "Stop a campaign. Posting it again continues it.",
                self.stop,
                answer=CampaignDocument,
                needs="campaigns",
                is_per_client=True,
            ),
        ]

    async def create(self, call: Call) -> object:
        """POST /campaigns/"""
        body: CampaignCreate = call.body
        await self._check_client(body.bot_id, call.caller, body.id)
        request = _request(body, call.caller.actor)
        try:
            found = await (self._campaigns.estimate(request) if body.dry_run else self._campaigns.begin(request))
        except CampaignRefused as error:
            raise ApiError(400, "campaign_refused", str(error), field=error.field) from error
        except TemplateRefused as error:
            raise ApiError(400, "template_refused", str(error), field=error.field) from error
        except OtherCampaign as error:
            raise ApiError(409, "other_campaign", str(error)) from error
        except AccountError as error:
            raise ApiError(503, "not_configured", str(error)) from error
        except ApprovalUnknown as error:
            raise ApiError(502, "approval_unknown", str(error)) from error
        report = await self._database.read(campaigns.report, body.id)
        return _document(report or _planned(request, found), found)

    async def get(self, call: Call) -> object:
        """GET /campaigns/{id}"""
        return _document(await self._found(call.path["id"], call.caller), None)

    async def stop(self, call: Call) -> object:
        """POST /campaigns/{id}/stop"""
        await self._found(call.path["id"], call.caller)
        await self._database.write(campaigns.stop_by, call.caller.actor, call.path["id"])
        return await self.get(call)

    async def _found(self, campaign_id: str, caller: Caller) -> CampaignReport:
        report = await self._database.read(campaigns.report, campaign_id)
        if report is not None:
            await self._check_client(report.campaign.bot_id, caller, campaign_id)
            return report
        raise ApiError(404, "not_found", f"There is no campaign {campaign_id!r}.")

    async def _check_client(self, bot_id: str, caller: Caller, campaign_id: str) -> None:
        """Raises 404 where a token that is bound to clients names a bot of another one."""
        if caller.clients is None:
            return
        if await self._database.read(catalog.get, BotRecord, bot_id, caller.clients) is None:
            raise ApiError(404, "not_found", f"There is no bot {bot_id!r}, or no campaign {campaign_id!r}, of yours.")


def _request(body: CampaignCreate, by: Actor) -> CampaignRequest:
    seen: dict[str, int] = {}
    for index, row in enumerate(body.rows):
        if seen.setdefault(row.to, index) != index:
            message = f"Rows {seen[row.to] + 1} and {index + 1} are of one person."
            raise ApiError(400, "campaign_refused", message, field=f"rows.{index}.to")
    rows = [CampaignRow(line, whatsapp_address(row.to), row.variables) for line, row in enumerate(body.rows, 1)]
    return CampaignRequest(body.id, body.bot_id, body.template, body.basis, rows, by, body.quiet_hours)


def _planned(request: CampaignRequest, found: CampaignEstimate) -> CampaignReport:
    """A campaign that was only checked."""
    campaign = Campaign(
        request.id,
        request.bot_id,
        request.template,
        request.basis,
        request.by.name,
        "",
        "stopped",
        "Dry run: nothing was sent.",
        found.unit_cost,
        request.is_quiet_at_night,
    )
    return CampaignReport(campaign, {"waiting": found.people}, {})


def _document(report: CampaignReport, found: CampaignEstimate | None) -> object:
    campaign = report.campaign
    names = ("id", "bot_id", "template", "basis", "created_by", "state", "reason", "unit_cost")
    return {
        **{name: getattr(campaign, name) for name in names},
        "total": report.total,
        "rows": report.rows,
        "statuses": report.statuses,
        "codes": report.codes,
        "people": found.people if found is not None else None,
        "cost": found.cost if found is not None else None,
    }
