"""The body of a request: a small JSON object whose keys are known, or why it is none."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from rackgrid.adapters.web.answer import refuse
from rackgrid_firmware.key import Key, complaint
from rackgrid_firmware.settings import is_table

BODY_MAX = 1024
"""Longest body, bytes."""
BODY_S = 5.0
"""A body is here within this, s."""


async def read_values(
    request: Request, keys: Sequence[Key], example: str
) -> dict[str, object] | Response:
    """Read the object that a request brings.

    Args:
        request: whose body it is.
        keys: those that may be in it, with their types and bounds.
        example: what to send instead, for whoever sent something else.

    Returns:
        The values, each as its key wants it; or the refusal to answer with.
    """
    try:
        async with asyncio.timeout(BODY_S):
            body = await _body(request)
    except TimeoutError:
        return refuse(408, f"the body did not come within {BODY_S:g} s; {example}")
    except ClientDisconnect:
        return refuse(400, f"the body ended early; {example}")
    if body is None:
        return refuse(413, f"a body of more than {BODY_MAX} bytes; {example}")
    values = _values(body, keys)
    if isinstance(values, str):
        return refuse(400, f"body of POST {request.url.path}: {values}; {example}")
    return values


async def _body(request: Request) -> bytes | None:
    """Read the body; None if it is too long."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > BODY_MAX:
            return None
    return body


def _values(body: bytes, keys: Sequence[Key]) -> dict[str, object] | str:
    """Take the values out of a body, or say what is wrong with it."""
    try:
        value: object = json.loads(body)
    except (ValueError, RecursionError):
        return "not JSON"
    if not is_table(value):
        return "not a JSON object"
    names = {key.name for key in keys}
    if unknown := sorted(value.keys() - names):
        return complaint(f"unknown key {unknown[0][:40]!r}", "", ", ".join(sorted(names)))
    for key in keys:
        if key.name in value and (wrong := key.objection(value[key.name])):
            return f"{key.name}: {wrong}"
    return value
