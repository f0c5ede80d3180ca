"""The kinds of a client's live objects: a folder for each, whose modules are its steps.

    knowledge ──► assistant ──► bot ──► sender
    files and     who answers   number → assistant   webhook, profile:
    vector store                                     traffic is switched on last

    desired.py      what a manifest declares of it
    live.py         which live objects are a client's, in the shape of the declared values
    unread.py       what could not be read, so that a client is left unchanged
    plan.py         what is compared, and which changes make it equal
    write.py        how a change is written, with writers that only applying makes
    __init__.py     the steps as one `Kind` (see protocol)

Creates and updates run from left to right, deletes from right to left. A kind that finds something wrong is `Withheld`:
the kinds left of it are still planned, those right of it wait.

A new kind is a folder here, its name in `model.KIND_ORDER`, and an entry each in `registry` and `applying.writes`.
"""
