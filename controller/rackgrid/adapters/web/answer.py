"""The shapes of an answer: JSON for data, one shape for every refusal."""

from __future__ import annotations

from starlette.responses import Response

from rackgrid.adapters.view_json import Json, encode


def answer(value: Json, status: int = 200) -> Response:
    """Answer with an object."""
    return Response(encode(value), status, media_type="application/json")


def refuse(status: int, reason: str, headers: dict[str, str] | None = None) -> Response:
    """Refuse, and say why."""
    body = encode({"error": reason})
    return Response(body, status, headers, media_type="application/json")
