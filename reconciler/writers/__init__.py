"""Writing to the providers, through their SDKs. Only `reconciler.apply` builds these; planning cannot import them."""
