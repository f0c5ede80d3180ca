"""What a model's tokens cost, in US dollars. A model without a known price has none: never a price of zero.

Prices are the list prices in the package `genai-prices`, as of its release; a discount that an account has is not in
them. The tiers that some models have for requests of hundreds of thousands of tokens are left out: a turn's memory is
bounded far below them.
"""

from __future__ import annotations

from dataclasses import dataclass

PROVIDER = "openai"
SAMPLE_TOKENS = 1000


@dataclass(frozen=True, slots=True)
class Rates:
    """Dollars per token."""

    input: float
    cached: float
    """Input that the provider read from its cache."""
    output: float


def list_rates(model: str) -> Rates | None:
    """What the model's tokens cost; None when no price is known.

    The first call takes part of a second, since it imports the package; make it in a thread.
    """
    from genai_prices import Usage, calc_price

    def cost(usage: Usage) -> float:
        return float(calc_price(usage, model, provider_id=PROVIDER).total_price) / SAMPLE_TOKENS

    try:
        return Rates(
            input=cost(Usage(input_tokens=SAMPLE_TOKENS)),
            cached=cost(Usage(input_tokens=SAMPLE_TOKENS, cache_read_tokens=SAMPLE_TOKENS)),
            output=cost(Usage(output_tokens=SAMPLE_TOKENS)),
        )
    except LookupError:
        return None
