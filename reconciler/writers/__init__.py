"""Writing to the providers, through their SDKs.

Only `reconciler.applying.apply` builds these; planning cannot import them.
"""
