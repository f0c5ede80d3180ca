"""Runs campaigns: each by its timer, so by one process at a time, and by another one when that crashes."""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from runtime.delivery.campaigns import Campaigns
from runtime.delivery.proactive import DailyLimit
from runtime.delivery.templates import ApprovalUnknown, TemplateRefused
from runtime.dispatch.timers import RunAgain, Timers
from runtime.store.database.database import Database
from runtime.store.messages import campaigns
from runtime.store.messages.campaigns import Campaign
from runtime.store.timers import Timer
from runtime.twilio.accounts import AccountError

LIMIT_SECONDS = 900.0
"""Pause before another look whether the day's limit has room again."""
UNKNOWN_SECONDS = 60.0
"""Pause before Twilio is asked again for an approval."""
QUIET = "Quiet hours: it continues at 9:00 in the client's zone."
BETWEEN_LOOKS = 25
"""Number of people between two looks whether the campaign was stopped."""

log = structlog.get_logger("runtime.delivery")


@dataclass(frozen=True, slots=True)
class CampaignRuns:
    """The handler of their timers."""

    database: Database
    campaigns: Campaigns

    def begin(self, timers: Timers) -> None:
        """Runs the timers in this process."""
        timers.register(campaigns.KIND, self.run)
        timers.register(campaigns.RELEASE, self.release)

    async def release(self, timer: Timer) -> None:
        """Reserves nothing any more for a campaign that has ended."""
        await self.database.write(campaigns.release, timer.key)

    async def run(self, timer: Timer) -> RunAgain | None:
        """Sends until everybody has it, or a reason to wait or to stop comes up."""
        campaign_id = str(timer.payload["campaign"])
        while True:
            campaign = await self.database.read(campaigns.get, campaign_id)
            if campaign is None or campaign.state != "running":
                return None
            quiet = await self.campaigns.quiet_seconds(campaign)
            if quiet:
                return await self._waits(campaign, timer, quiet, QUIET)
            try:
                if not await self._some(campaign):
                    await self.database.write(campaigns.set_state, campaign_id, "done", None)
                    log.info("campaign_done", campaign=campaign_id)
                    return None
            except DailyLimit as error:
                return await self._waits(campaign, timer, LIMIT_SECONDS, str(error))
            except ApprovalUnknown as error:
                return await self._waits(campaign, timer, UNKNOWN_SECONDS, str(error))
            except (TemplateRefused, AccountError) as error:
                log.error("campaign_stopped", campaign=campaign_id, error=str(error))
                await self.database.write(campaigns.set_state, campaign_id, "stopped", str(error))
                return None

    async def _some(self, campaign: Campaign) -> bool:
        """Sends to the next people; False when there is none left."""
        for _ in range(BETWEEN_LOOKS):
            taken = await self.database.read(campaigns.next_row, campaign.id)
            if taken is None:
                return False
            await self.campaigns.send(campaign, taken)
        await self.campaigns.reserve_again(campaign)
        return True

    async def _waits(self, campaign: Campaign, timer: Timer, seconds: float, reason: str) -> RunAgain:
        await self.database.write(campaigns.set_state, campaign.id, "running", reason)
        log.info("campaign_waits", campaign=campaign.id, reason=reason)
        return RunAgain(seconds, timer.payload)
