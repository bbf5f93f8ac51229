"""The token, as a file and as a claim."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rackgrid.adapters.web.token import (
    LENGTH_MIN,
    WINDOW_S,
    WRONG_MAX,
    Claim,
    Token,
    new_token,
    read_token,
)
from rackgrid.errors import ConfigError

GOOD = "0123456789abcdef" * 4


class Clock:
    s: float = 100.0

    def __call__(self) -> float:
        return self.s


def written(folder: Path, text: str, mode: int = 0o600) -> Path:
    path = folder / "api.token"
    path.write_text(text)
    path.chmod(mode)
    return path


@pytest.mark.parametrize(
    ("authorization", "claim"),
    [
        (f"Bearer {GOOD}", Claim.GOOD),
        (f"bearer {GOOD}", Claim.GOOD),
        (f"Bearer  {GOOD} ", Claim.GOOD),
        (None, Claim.MISSING),
        ("", Claim.WRONG),
        ("Bearer", Claim.WRONG),
        ("Bearer ", Claim.WRONG),
        (GOOD, Claim.WRONG),
        (f"Basic {GOOD}", Claim.WRONG),
        (f"Bearer {GOOD}0", Claim.WRONG),
        (f"Bearer {GOOD[:-1]}", Claim.WRONG),
        (f"Bearer {GOOD.upper()}", Claim.WRONG),
        ("Bearer \xe9", Claim.WRONG),
    ],
)
def test_claim_is_good_with_the_very_token_alone(authorization: str | None, claim: Claim) -> None:
    assert Token(GOOD, Clock()).judge(authorization, "10.0.0.1") is claim


@given(st.text(alphabet=st.characters(max_codepoint=255)))
def test_claim_of_any_header_never_raises_and_is_not_good(text: str) -> None:
    assert Token(GOOD, Clock()).judge(text, "") is not Claim.GOOD


def test_wrong_tokens_too_often_are_told_to_wait_and_the_right_one_never_is(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = Clock()
    token = Token(GOOD, clock)
    for _ in range(WRONG_MAX):
        assert token.judge("Bearer x", "10.0.0.1") is Claim.WRONG
    for _ in range(100):
        assert token.judge("Bearer x", "10.0.0.1") is Claim.TOO_OFTEN
    assert token.judge(f"Bearer {GOOD}", "10.0.0.2") is Claim.GOOD
    assert token.judge(None, "10.0.0.2") is Claim.MISSING
    assert len(caplog.records) == 2, "whoever tries does not fill the log"
    assert "10.0.0.1" in caplog.text
    clock.s += WINDOW_S
    assert token.judge("Bearer x", "10.0.0.1") is Claim.WRONG


def test_token_is_not_shown_by_its_repr() -> None:
    assert GOOD not in repr(Token(GOOD, Clock()))


def test_token_made_is_read_again_and_another_each_time(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    new_token(first)
    new_token(second)
    assert first.stat().st_mode & 0o777 == 0o600
    assert len(read_token(first)) >= LENGTH_MIN
    assert read_token(first) != read_token(second)
    with pytest.raises(FileExistsError):
        new_token(first)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "short",
        "a" * 64,
        "secret",
        "two lines of " + GOOD + "\nhere",
        "é" * 40,
        "x y" * 20,
    ],
)
def test_token_that_could_be_guessed_is_refused(tmp_path: Path, text: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ConfigError, match="token_file") as caught:
        read_token(path)
    assert GOOD not in str(caught.value)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
def test_token_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(ConfigError, match="chmod 600"):
        read_token(written(tmp_path, GOOD, mode))


def test_token_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read_token(tmp_path / "none")
    os.mkdir(tmp_path / "folder", 0o700)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_token(tmp_path / "folder")
