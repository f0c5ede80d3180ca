"""Budgets of clients, checked before a turn costs anything.

    store: spent ─► allotment of this replica ─► estimate of a turn ─► turn ─► its rows in the ledger
                    one row, taken twice a          deducted before the       settle the estimate
                    minute at most when quiet       turn, in memory

Only clients whose budget stops something (`pause`, `cheaper_model`) take allotments. Warnings are sent in the
background (`runtime.dispatch.budget_warnings`).
"""
