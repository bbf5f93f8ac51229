"""The shapes of an answer."""

from __future__ import annotations

import json

from rackgrid.adapters.web.answer import answer, refuse


def test_answer_is_json_with_its_status() -> None:
    response = answer({"leaving": True}, 202)
    assert response.status_code == 202
    assert response.headers["content-type"] == "application/json"
    assert json.loads(bytes(response.body)) == {"leaving": True}


def test_refusal_says_why_and_keeps_its_headers() -> None:
    response = refuse(405, "not this method", {"allow": "GET"})
    assert response.status_code == 405
    assert response.headers["allow"] == "GET"
    assert json.loads(bytes(response.body)) == {"error": "not this method"}
