"""What a verb describes itself to: that part of argparse which has no public name."""

from __future__ import annotations

import argparse
from typing import Protocol


class Verbs(Protocol):
    """The verbs of the command."""

    def add_parser(self, name: str, *, help: str) -> argparse.ArgumentParser:  # noqa: A002 (theirs)
        """Add a verb, and return the parser for its arguments."""
        ...
