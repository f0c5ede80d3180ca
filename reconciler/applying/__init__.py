"""Makes a plan real: one run at a time, recorded step by step."""
