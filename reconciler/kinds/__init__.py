"""What a client is made of: a folder for each kind of live object, whose modules are its steps.

    knowledge ──► assistant ──► bot ──► sender
    files and     who answers   number → assistant   webhook, profile:
    vector store                                     traffic is switched on last

    desired.py      what a manifest declares of it
    live.py         which live objects are a client's, and how they look in the shape of what is declared
    unread.py       what could not be read, so that a client is left alone
    plan.py         what is compared, and which changes make it equal
    write.py        how a change is written, with writers that only applying makes
    __init__.py     the steps as one `Kind` (see protocol)

Creates and updates run from left to right, deletes from right to left. A kind that finds something wrong is `Withheld`:
what stands left of it is still planned, what stands right of it waits.

A new kind is a folder here, its name in `model.KIND_ORDER`, and an entry each in `registry` and `applying.writes`.
"""
