"""The ledger of usage: what was used for whom, and what it costs, in rows that are only added to.

    webhook   ──► one message in                ─┐
    turn ends ──► tokens, searches, by model     ├─► usage ──► reports, budgets, metrics, comparisons
    callback  ──► one message out, Meta's part  ─┘     │
                                                       └─► usage_prices: what one costs, written once

Each row is written in the commit that records what it is about. An amount is a whole number of 10⁻⁹ US dollars.
"""
