"""What is deleted of people once its retention is over (`data.retention`), in bites that hold nothing up. Functions
over a connection; `runtime.dispatch.retention` runs them."""
