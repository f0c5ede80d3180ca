"""Programs that do a job like ours, measured on as many things of the same size."""
