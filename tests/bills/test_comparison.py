"""The ledger against the bills: what is compared with what, how far apart they may be, and what a person reads."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from runtime.bills.charged import (
    FAILED,
    MESSAGING,
    WHATSAPP,
    BilledSum,
    BillUnread,
    MessagePriceSum,
    OpenAIBill,
    TwilioBill,
    kind_of,
    nanos_of,
)
from runtime.bills.comparison import Comparison, compare, is_within
from runtime.bills.shown import comparison_as_json, comparison_as_text, sums_as_json, sums_as_text
from runtime.store.usage.sums import BorderSum, UsageSum
from schemas.prices import Kind

GOLDEN = Path(__file__).parent / "golden"
NO_BORDER = BorderSum(0, 0)


def usd(text: str) -> int:
    return nanos_of(Decimal(text))


def used(kind: Kind, quantity: int, amount: str | None, free: int = 0, model: str | None = None) -> UsageSum:
    nano_usd = None if amount is None else usd(amount)
    confidence = "unknown" if amount is None else "list_price"
    return UsageSum("la-cocina", kind, model, confidence, quantity, free, nano_usd)


LEDGER = [
    used("twilio_in", 1500, "7.5"),
    used("twilio_out", 1520, "7.596"),
    used("meta_service", 1510, "10.2", free=1000),
    used("meta_marketing", 10, "0.889"),
    used("model_input", 900_000, "0.09", model="gpt-6-luna"),
    used("model_output", 200_000, "0.1", model="gpt-6-luna"),
    used("web_search", 12, "0.12", model="gpt-6-luna"),
]


def twilio(**changed: BilledSum) -> TwilioBill:
    """The bill that fits the ledger; `changed` has categories with `_` for `-`."""
    categories = {
        MESSAGING: BilledSum(3019, usd("15.095")),
        f"{MESSAGING}-inbound": BilledSum(1500, usd("7.5")),
        f"{MESSAGING}-outbound": BilledSum(1519, usd("7.595")),
        FAILED: BilledSum(1, usd("0.001")),
        WHATSAPP: BilledSum(1520, usd("11.089")),
        f"{WHATSAPP}-conversation-free": BilledSum(1000, 0),
        f"{WHATSAPP}-conversation-service": BilledSum(510, usd("10.2")),
        f"{WHATSAPP}-conversation-marketing": BilledSum(10, usd("0.889")),
        f"{WHATSAPP}-template-marketing": BilledSum(10, usd("0.889")),
        "totalprice": BilledSum(4540, usd("26.185")),
        **{name.replace("_", "-"): charge for name, charge in changed.items()},
    }
    return TwilioBill(categories, MessagePriceSum(3020, 0, usd("15.096")))


OPENAI = OpenAIBill(
    {
        "gpt-6-luna, input_tokens": usd("0.09"),
        "gpt-6-luna, output_tokens": usd("0.1"),
        "web search tool calls | gpt-6-luna, web_search_calls": usd("0.12"),
    }
)


def compared(
    twilio_bill: TwilioBill | BillUnread | None = None,
    openai: OpenAIBill | BillUnread | None = OPENAI,
    ledger: list[UsageSum] = LEDGER,
    tolerance: float = 2,
) -> Comparison:
    return compare("2026-11", tolerance, ledger, [twilio_bill or twilio()], openai, NO_BORDER)


def results(found: Comparison) -> dict[str, str]:
    return {provider.provider: provider.result for provider in found.providers}


def test_equal_sides_differ_by_nothing() -> None:
    found = compared(tolerance=0)

    assert [provider.difference for provider in found.providers] == [0, 0, 0]
    assert [one.difference for provider in found.providers for one in provider.kinds] == [0] * 7
    assert (found.price_layer, found.exit_code) == ("fee", 0)


@pytest.mark.parametrize(
    ("found", "expected", "code"),
    [
        (compared(twilio(channels_messaging=BilledSum(3019, usd("16")))), ("different", "within", "within"), 2),
        (compared(twilio(channels_whatsapp=BilledSum(1520, usd("11")))), ("within", "within", "within"), 0),
        (compared(twilio(channels_whatsapp=BilledSum(1520, usd("22")))), ("within", "different", "within"), 2),
        (compared(openai=OpenAIBill({"gpt-6-luna, input_tokens": usd("1")})), ("within", "within", "different"), 2),
        (compared(openai=OpenAIBill({})), ("within", "within", "different"), 2),
        (compared(openai=None), ("within", "within", "not_compared"), 0),
        (compared(openai=BillUnread("No.")), ("within", "within", "unread"), 1),
        (compared(BillUnread("No."), openai=OpenAIBill({})), ("unread", "unread", "different"), 1),
        (compared(ledger=[*LEDGER, used("meta_utility", 40, "0.8")]), ("within", "different", "within"), 2),
        (compared(ledger=[*LEDGER, used("meta_utility", 40, None)]), ("within", "within", "within"), 0),
    ],
)
def test_each_provider_is_compared_by_itself(found: Comparison, expected: tuple[str, ...], code: int) -> None:
    assert tuple(results(found).values()) == expected
    assert found.exit_code == code


@pytest.mark.parametrize(
    ("ours", "theirs", "tolerance", "within"),
    [(98, 100, 2, True), (97, 100, 2, False), (102, 100, 2, True), (0, 0, 0, True), (1, 0, 100, False)],
)
def test_the_tolerance_is_in_per_cent_of_what_was_charged(
    ours: int, theirs: int, tolerance: float, *, within: bool
) -> None:
    assert is_within(ours, theirs, tolerance) is within


def test_an_account_that_cannot_be_read_leaves_twilio_unread_though_others_can_be() -> None:
    found = compare("2026-11", 2, LEDGER, [twilio(), BillUnread("The token is not set.")], None, NO_BORDER)

    assert found.exit_code == 1
    assert [provider.theirs for provider in found.providers] == [None, None, None]
    assert "could not be read\n  The token is not set.\n" in comparison_as_text(found)


def test_accounts_are_added_up() -> None:
    own = TwilioBill({MESSAGING: BilledSum(2, usd("0.01")), f"{MESSAGING}-inbound": BilledSum(2, usd("0.01"))})

    found = compare("2026-11", 0, [*LEDGER, used("twilio_in", 2, "0.01")], [twilio(), own], OPENAI, NO_BORDER)

    assert set(results(found).values()) == {"within"}


@pytest.mark.parametrize(
    ("sum_of_prices", "unpriced", "layer"),
    [
        ("15.096", 0, "fee"),
        ("26.185", 0, "fee_and_meta"),
        ("20", 0, "neither"),
        ("15.096", 1, "unknown"),
    ],
)
def test_what_prices_of_messages_are_made_of_is_seen_in_the_two_layers(
    sum_of_prices: str, unpriced: int, layer: str
) -> None:
    bill = TwilioBill(twilio().categories, MessagePriceSum(3020, unpriced, usd(sum_of_prices)))

    assert compared(bill).price_layer == layer


def test_prices_of_messages_say_nothing_while_meta_charges_nothing() -> None:
    bill = twilio(channels_whatsapp=BilledSum())

    assert compared(bill).price_layer == "either"


def test_a_family_of_categories_that_does_not_add_up_is_not_shown_by_kind() -> None:
    found = compared(twilio(channels_whatsapp_conversation_service=BilledSum(510, usd("3"))))

    _, meta, _ = found.providers
    assert [one.theirs for one in meta.kinds] == [None, None]
    assert meta.result == "within"


def test_the_other_family_of_categories_is_read_where_it_adds_up() -> None:
    names = {f"{WHATSAPP}-template-service": BilledSum(510, usd("10.2")), **twilio().categories}
    kept = {name: charge for name, charge in names.items() if "conversation" not in name}

    _, meta, _ = compared(TwilioBill(kept, MessagePriceSum())).providers
    assert [one.difference for one in meta.kinds] == [0, 0]


@pytest.mark.parametrize(
    ("changes", "reason", "words"),
    [
        ({"channels_messaging_inbound": BilledSum(1503, usd("7.515"))}, "quantity", "3 not in the ledger"),
        ({"channels_messaging_inbound": BilledSum(1497, usd("7.485"))}, "quantity", "3 not charged"),
        (
            {"channels_messaging_inbound": BilledSum(1500, usd("9"))},
            "price",
            "another price: 0.005000 each in the ledger, 0.006000 charged",
        ),
    ],
)
def test_a_difference_is_explained_by_kind(changes: dict[str, BilledSum], reason: str, words: str) -> None:
    received = changes["channels_messaging_inbound"]
    sent = twilio().of(f"{MESSAGING}-outbound")
    found = compared(twilio(channels_messaging=received + sent, **changes))

    assert [one.reason for one in found.providers[0].kinds] == [reason, None]
    assert words in comparison_as_text(found)


def test_usage_without_a_price_explains_a_difference() -> None:
    ledger = [row for row in LEDGER if row.kind != "meta_marketing"] + [used("meta_marketing", 10, None)]
    found = compared(ledger=ledger)

    marketing = found.providers[1].kinds[-1]
    assert (marketing.unpriced, marketing.reason) == (10, "unpriced")
    assert "the ledger has no price for 10 messages" in comparison_as_text(found)


def test_categories_that_name_whatsapp_elsewhere_are_shown_and_not_added() -> None:
    found = compared(twilio(voice_whatsapp_calls=BilledSum(4, usd("0.4")), sms=BilledSum(9, usd("1"))))

    assert dict(found.other_categories) == {"voice-whatsapp-calls": BilledSum(4, usd("0.4"))}
    assert found.exit_code == 0


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("gpt-6-luna, input_tokens", "model_input"),
        ("gpt-6-luna, input_cached_tokens", "model_cached"),
        ("gpt-6-luna, input_cache_write_tokens", "model_cache_write"),
        ("gpt-6-luna, cached input", "model_cached"),
        ("gpt-6-luna, output_tokens", "model_output"),
        ("gpt-6-luna, web_search_calls", "web_search"),
        ("gpt-6-luna, file_search_calls", "file_search"),
        ("gpt-transcribe, audio_transcriptions", "transcription"),
        ("input-model, embeddings", None),
        ("code interpreter sessions", None),
    ],
)
def test_the_kind_of_a_line_item(name: str, kind: str | None) -> None:
    assert kind_of(name) == kind


def differing() -> Comparison:
    """One of each: a missing row, another price, no price, an unknown kind, an unknown category, the border."""
    bill = TwilioBill(
        {
            **twilio(
                channels_messaging=BilledSum(3022, usd("18.018")),
                channels_messaging_inbound=BilledSum(1503, usd("7.515")),
                channels_messaging_outbound=BilledSum(1519, usd("10.503")),
                voice_whatsapp_calls=BilledSum(4, usd("0.4")),
            ).categories
        },
        MessagePriceSum(3020, 3, usd("18.019")),
    )
    openai = OpenAIBill({**OPENAI.line_items, "code interpreter sessions": usd("0.03")})
    ledger = [*LEDGER, used("meta_authentication", 4, None)]
    return compare("2026-11", 2, ledger, [bill], openai, BorderSum(42, usd("0.84")))


def check(name: str, text: str) -> None:
    assert text == (GOLDEN / name).read_text()


def test_what_a_person_reads() -> None:
    check("differing.txt", comparison_as_text(differing()))


def test_what_a_person_reads_where_a_side_is_missing() -> None:
    check("unread.txt", comparison_as_text(compared(BillUnread("The account AC1 cannot be read: no."), openai=None)))


def test_what_a_program_reads() -> None:
    check("differing.json", json.dumps(comparison_as_json(differing()), indent=2, ensure_ascii=False) + "\n")


def test_the_sums_of_the_ledger() -> None:
    sums: list[Any] = [*LEDGER, used("meta_utility", 4, None), used("twilio_in", 1, "0.005")._replace(client="otro")]

    check("sums.txt", sums_as_text("2026-11", sums))
    first = sums_as_json("2026-11", sums)["usage"][2]
    assert first == {
        "client": "la-cocina",
        "kind": "meta_service",
        "model": None,
        "confidence": "list_price",
        "quantity": 1510,
        "free": 1000,
        "nano_usd": 10_200_000_000,
        "unit": "messages",
    }
