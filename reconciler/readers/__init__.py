"""Reading live objects: lists first, paged to the end, no method that writes.

Planning is handed these readers and nothing else, so a dry run cannot change anything. No SDK is imported here:
docs/adr/0001-four-http-clients.md.
"""
