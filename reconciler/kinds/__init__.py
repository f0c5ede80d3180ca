"""What a client is made of, one module per kind: what it declares, and which changes make the live side equal.

    knowledge ──► assistant ──► bot ──► sender
    files and     who answers   number → assistant   webhook, profile:
    vector store                                     traffic is switched on last

Creates and updates run from left to right, deletes from right to left. A kind that finds something wrong is `Withheld`:
what stands left of it is still planned, what stands right of it waits.

A new kind is a folder here with a `plan` function, an entry in `PLANNERS` and its writes in
`reconciler.applying.apply`.
"""
