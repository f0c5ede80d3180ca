"""Makes the live state equal to `clients.d/`: load, observe, diff, plan, guard, render or apply, record."""
