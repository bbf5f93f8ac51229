"""`python -m rackgrid`: the `rackgrid` command."""

from __future__ import annotations

import sys

from rackgrid.cli import main

if __name__ == "__main__":
    sys.exit(main())
