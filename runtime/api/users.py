"""/users/{user}: people who write to the bots. They can be erased; nothing else about them is returned. The former name
of DELETE /people/{user}, for one release."""

from __future__ import annotations

import structlog

from runtime.api.endpoint import ApiEndpoint, Call
from runtime.api.errors import ApiError
from runtime.api.people import erasure_reply
from runtime.privacy.erasure import Erasure, ErasureResult, UnknownUser

QUERY = {"at_twilio": "`true` deletes Twilio's own copies of the messages too, in all accounts."}

log = structlog.get_logger("runtime.api")


class Users:
    """Handlers of /users/{user}."""

    def __init__(self, forgetting: Erasure) -> None:
        self._forgetting = forgetting

    def endpoints(self) -> list[ApiEndpoint]:
        """The endpoints served."""
        summary = (
            "Erase a user for good, with all bots: a number (+56912345678) or WhatsApp's user id. 502 when something "
            "is left at a provider; the store is erased all the same, and the same call continues with the rest. Use "
            "DELETE /people/{user} instead, which reaches Twilio by itself: this ends with the next release."
        )
        return [ApiEndpoint("DELETE", "/users/{user}", summary, self.forget, answer=ErasureResult, query=QUERY)]

    async def forget(self, call: Call) -> object:
        """DELETE /users/{user}"""
        at_twilio = call.query.get("at_twilio", "false")
        if at_twilio not in ("true", "false"):
            message = f"at_twilio must be true or false, not {at_twilio!r}."
            raise ApiError(400, "invalid_field", message, field="at_twilio")
        actor = call.caller.actor
        try:
            outcome = await self._forgetting.forget(call.path["user"], actor, at_twilio=at_twilio == "true")
        except UnknownUser as error:
            raise ApiError(404, "not_found", str(error)) from error
        log.info("user_erased", actor=actor.name, conversations=outcome.conversations, complete=outcome.complete)
        log.warning(
            "endpoint_deprecated", endpoint="DELETE /users/{user}", use="DELETE /people/{user}", actor=actor.name
        )
        return erasure_reply(outcome)
