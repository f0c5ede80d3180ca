"""`python -m demo` walks the whole way once; `play` leaves everything running; `picture` draws a plan."""

from __future__ import annotations

import signal
import sys

from demo.picture import picture
from demo.play import play
from demo.processes import Failed
from demo.walk import walk

WAYS = {(): walk, ("play",): play, ("picture",): picture}


def main() -> int:
    """Run the way named on the command line; 1 when a step did not do what it should."""
    way = WAYS.get(tuple(sys.argv[1:]))
    if way is None:
        print("usage: python -m demo [play|picture]", file=sys.stderr)
        return 2
    for number in (signal.SIGTERM, signal.SIGHUP):
        # Ends like Ctrl-C: by an exception, so that what was started is stopped on the way out.
        signal.signal(number, signal.default_int_handler)
    try:
        way()
    except Failed as failure:
        print(f"\n{failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return 0 if way is play else 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
