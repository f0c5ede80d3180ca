"""What the providers charge, read from them, against the ledger of usage.

    Twilio: Usage Records, prices of messages ─┐
    OpenAI: costs of the organization         ─┼─► comparison ──► text, JSON
    store: sums of the ledger                 ─┘

Nothing here writes, at a provider or in the store.
"""
