"""The body of a request, asked through ASGI without a socket."""

from __future__ import annotations

import pytest
from tests.unit.controller.adapters.web.test_operator import World, refusal

from rackgrid.adapters.web import body


def test_capacity_with_a_body_too_long_is_refused_before_its_end() -> None:
    status, reason = refusal(World(), "/api/feed", b" " * 1024, b" ", b"...")
    assert (status, "1024 bytes" in reason) == (413, True)


def test_capacity_whose_body_ends_early_is_refused() -> None:
    status, reason = refusal(World(), "/api/feed", b'{"capa ', None)
    assert (status, "ended early" in reason) == (400, True)


def test_capacity_whose_body_never_comes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "BODY_S", 0.01)
    status, reason = refusal(World(), "/api/feed", b"...")
    assert (status, "did not come" in reason) == (408, True)
