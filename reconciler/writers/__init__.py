"""Writing to the providers, through their SDKs.

Only `reconciler.applying` builds these; planning cannot import them.
"""
