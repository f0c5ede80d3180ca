"""From declared and live to a plan, and what may be refused of it. Pure: no call, no write."""
