"""Fixtures of the firmware's rack tests: worlds and links that end with the test."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.rack.bench import Link, World


@pytest.fixture
def build(tmp_path: Path) -> Iterator[Callable[..., World]]:
    with contextlib.ExitStack() as stack:

        def make(*options: str, **settings: Any) -> World:
            world = World(tmp_path, *options, **settings)
            stack.callback(world.close)
            return world

        yield make


@pytest.fixture
def link_to() -> Iterator[Callable[..., Link]]:
    with contextlib.ExitStack() as stack:

        def connect(world: World, **options: Any) -> Link:
            link = Link(world.socket, **options)
            stack.callback(link.socket.close)
            return link

        yield connect
