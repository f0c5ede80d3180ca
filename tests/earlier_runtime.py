"""A runtime whose clock is EARLIER_SECONDS behind: what it stores is of that time."""

from __future__ import annotations

import os
import time
from typing import Final

_now: Final = time.time
_BEHIND: Final = float(os.environ["EARLIER_SECONDS"])

if __name__ == "__main__":
    time.time = lambda: _now() - _BEHIND

    from runtime.cli import main

    main()
