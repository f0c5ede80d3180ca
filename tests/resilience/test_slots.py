"""When a message may be sent: not before the sender's rate limit permits it, and only if its process still owns it."""

import time
from collections.abc import AsyncIterator

import pytest

from runtime.errors import TemporaryError
from runtime.observability.metrics import Metrics
from runtime.resilience.breakers import FAILURES, Breakers
from runtime.store.messages.outbound_content import OutboundText
from runtime.store.messages.outbox import SendTakenOver
from runtime.twilio.accounts import Account
from runtime.twilio.client import Twilio
from tests.sandbox_process import Sandbox

SEND = {"provider": "twilio", "method": "POST", "path": "/2010-04-01/Accounts/*/Messages.json"}
NUMBER, USER = "+15550009001", "whatsapp:+56912345678"
SENDER = f"whatsapp:{NUMBER}"


@pytest.fixture
def account(sandbox: Sandbox) -> Account:
    sandbox.register(NUMBER)
    return Account(sandbox.account_sid, sandbox.auth_token)


@pytest.fixture
async def twilio(sandbox: Sandbox) -> AsyncIterator[Twilio]:
    metrics = Metrics()
    twilio = Twilio(sandbox.twilio_url, metrics, Breakers(2.0, metrics), longest_pause=60.0)
    yield twilio
    await twilio.close()


async def send(twilio: Twilio, account: Account, words: str = "Hola") -> str:
    """Sends a message; gives Twilio's id of it."""
    async with twilio.slot(account, SENDER) as slot:
        return (await slot.send(recipient=USER, content=OutboundText(words), status_callback=None)).sid


async def test_a_message_leaves_in_its_slot(twilio: Twilio, account: Account, sandbox: Sandbox) -> None:
    sid = await send(twilio, account)

    (sent,) = sandbox.ledger(kind="outbound")
    assert (sent["message_sid"], sent["from"], sent["to"], sent["body"]) == (sid, SENDER, USER, "Hola")


async def test_no_slot_is_given_while_twilio_asks_the_sender_to_be_quiet(
    twilio: Twilio, account: Account, sandbox: Sandbox
) -> None:
    sandbox.faults(SEND | {"kind": "retry_after", "retry_after": 0.5, "times": 1})
    asked = time.monotonic()
    with pytest.raises(TemporaryError):
        await send(twilio, account)

    async with twilio.slot(account, SENDER):
        assert time.monotonic() - asked >= 0.5
    async with twilio.slot(account, "whatsapp:+15550009002"):
        assert time.monotonic() - asked < 5


async def test_who_changes_its_mind_in_the_slot_sends_nothing_and_does_not_count_as_a_failure_of_twilio(
    twilio: Twilio, account: Account, sandbox: Sandbox
) -> None:
    async def lose_the_claim() -> None:
        async with twilio.slot(account, SENDER):
            raise SendTakenOver("another replica has it")

    for _ in range(2 * FAILURES):
        with pytest.raises(SendTakenOver):
            await lose_the_claim()

    began = time.monotonic()
    await send(twilio, account)
    assert time.monotonic() - began < 1
    assert len(sandbox.ledger(kind="outbound")) == 1
