"""/2010-04-01/Accounts: the account of the credentials, and subaccounts for clients with a WhatsApp Business Account of
their own.
"""

from aiohttp import web

from sandbox.middleware import answer
from sandbox.state import State
from sandbox.storage import Json, new_id, public
from sandbox.twilio.wire import ACCOUNTS, Page, account_of, acting_account, form_of, rfc2822


class Accounts:
    """Handlers of /2010-04-01/Accounts."""

    def __init__(self, state: State) -> None:
        self._state = state
        self.open_main()

    def open_main(self) -> None:
        """Makes sure that the account of the command line exists, with the token given there."""
        given = self._state.credentials
        self.open(given.account_sid, given.auth_token, "Sandbox", owner=given.account_sid)

    def open(self, sid: str, auth_token: str, name: str, *, owner: str) -> Json:
        """Makes an account, or gives an existing one a new token."""
        now = rfc2822(self._state.settings.time())
        known = self._state.storage.get(ACCOUNTS, sid) or {
            "date_created": now,
            "friendly_name": name,
            "status": "active",
        }
        if known.get("auth_token") == auth_token:
            return known
        account = {
            **known,
            "sid": sid,
            "auth_token": auth_token,
            "owner_account_sid": owner,
            "date_updated": now,
            "type": "Full",
            "uri": f"/2010-04-01/Accounts/{sid}.json",
            "subresource_uris": {"messages": f"/2010-04-01/Accounts/{sid}/Messages.json"},
        }
        return self._state.storage.put(ACCOUNTS, sid, account)

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/2010-04-01/Accounts.json", self.list_all),
            web.post("/2010-04-01/Accounts.json", self.create),
            web.get("/2010-04-01/Accounts/{account}.json", self.get),
        ]

    async def get(self, request: web.Request) -> web.Response:
        return answer(public(self._state.storage.rows(ACCOUNTS)[acting_account(self._state, request)]))

    async def create(self, request: web.Request) -> web.Response:
        form = await form_of(request)
        name = form.get("FriendlyName", ["SubAccount"])[0]
        return answer(public(self.open(new_id("AC"), new_id("", 32), name, owner=account_of(request))), 201)

    async def list_all(self, request: web.Request) -> web.Response:
        rows = self._state.storage.rows(ACCOUNTS)
        page = Page(request, [sid for sid, row in rows.items() if row["owner_account_sid"] == account_of(request)], 50)
        return answer({"accounts": [public(rows[sid]) for sid in page.keys], **page.uris()})
