"""From declared and live to a plan, and the guards that may refuse it. Pure: no call, no write."""
