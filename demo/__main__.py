"""`python -m demo` walks the whole way once; `play` leaves everything running; `picture` draws a plan and a report;
`conversations` writes one down for each engine."""

from __future__ import annotations

import signal
import sys

from demo.conversations import conversations
from demo.month import report_picture
from demo.picture import picture
from demo.play import play
from demo.processes import Failed
from demo.walk import walk


def pictures() -> None:
    """All pictures in docs/ that show what the commands print."""
    picture()
    report_picture()


WAYS = {(): walk, ("play",): play, ("picture",): pictures, ("conversations",): conversations}


def main() -> int:
    """Run the way named on the command line; 1 when a step did not do what it should."""
    way = WAYS.get(tuple(sys.argv[1:]))
    if way is None:
        print("usage: python -m demo [play|picture|conversations]", file=sys.stderr)
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
