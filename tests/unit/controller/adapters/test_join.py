from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rackgrid.adapters.join import HEAD, TOKEN_MAX, JoinToken, parse_token, write_token
from rackgrid.adapters.keyring import RackKey, RackKeys
from rackgrid.errors import KeyringError
from rackgrid.wire.seal import KEYS_MAX

KEY = bytes(range(32))
KEYS = RackKeys(2, tuple(RackKey(n, KEY, "2026-03-01T12:00:00Z") for n in range(1, KEYS_MAX + 1)))
TOKEN = JoinToken("shed", "224.0.0.224", 8437, 3, 120.5, "EUR", KEYS)


@given(st.text(max_size=60), st.floats(0, 1e6), st.integers(1, 65535))
def test_token_written_is_the_token_read(rack: str, capacity_w: float, port: int) -> None:
    token = JoinToken(rack, "224.0.0.224", port, 3, capacity_w, "EUR", KEYS)
    assert parse_token(f" {write_token(token)}\n") == token


def test_token_is_one_line_that_fits_a_terminal_and_names_itself() -> None:
    text = write_token(TOKEN)
    assert text.startswith(HEAD)
    assert text.isprintable()
    assert " " not in text
    assert len(text) < TOKEN_MAX


@given(st.integers(0, len(write_token(TOKEN)) - 1))
def test_token_cut_off_is_refused_and_not_shown(cut: int) -> None:
    text = write_token(TOKEN)
    with pytest.raises(KeyringError) as caught:
        parse_token(text[:cut])
    assert text[len(HEAD) :][:16] not in str(caught.value)


@given(st.integers(len(HEAD), len(write_token(TOKEN)) - 1), st.sampled_from("Aa0_-.!"))
def test_token_with_a_changed_character_is_refused(at: int, to: str) -> None:
    text = write_token(TOKEN)
    changed = text[:at] + to + text[at + 1 :]
    try:
        assert parse_token(changed) == TOKEN  # the last character has bits to spare
    except KeyringError:
        return
    assert changed == text or at == len(text) - 1


@given(st.text(max_size=200))
def test_whatever_is_pasted_is_a_token_or_an_error(text: str) -> None:
    for word in (text, HEAD + text):
        with pytest.raises(KeyringError):
            parse_token(word)


@pytest.mark.parametrize("harm", ['"port":"8437"', '"port":true', '"port":null'])
def test_token_of_another_version_is_refused(harm: str, monkeypatch: pytest.MonkeyPatch) -> None:
    content = f'{{"rack":"a","group":"b",{harm},"expect":1,"capacity_w":1}}'

    def dumps(_value: object, separators: tuple[str, str]) -> str:
        return content

    monkeypatch.setattr("rackgrid.adapters.join.json.dumps", dumps)
    text = write_token(TOKEN)
    with pytest.raises(KeyringError, match="another version"):
        parse_token(text)


def test_token_shown_shows_no_key() -> None:
    assert KEY.hex() not in repr(TOKEN)
    assert repr(KEY) not in repr(TOKEN)
