"""Reading what is live: lists first, paged to the end, no method that writes.

Planning is handed these readers and nothing else, so a dry run cannot change anything. The SDKs are not imported here:
`import openai` alone costs more than a whole plan. That these readers see what the SDKs see is held by tests.
"""
