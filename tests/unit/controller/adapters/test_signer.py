from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest

from rackgrid.adapters import signer as module
from rackgrid.adapters.keys import IDENTITY_FILE, load_identity
from rackgrid.adapters.signer import DATA_MAX, Signer, serve
from rackgrid.adapters.signing import Purpose, verify
from rackgrid.errors import SigningError

PATIENCE_S = 30.0


@pytest.fixture
def signer(tmp_path: Path) -> Iterator[Signer]:
    load_identity(tmp_path)
    made = Signer(tmp_path)
    yield made
    made.close()


def got(future: Future[bytes] | Future[bool]) -> bytes | bool:
    return future.result(PATIENCE_S)


def signed(signer: Signer, data: bytes) -> bytes:
    return signer.sign(Purpose.ROSTER, data).result(PATIENCE_S)


def pid_of(signer: Signer) -> int:
    assert signer._helper is not None
    return signer._helper._process.pid


def test_sign_gives_what_the_public_key_confirms(signer: Signer, tmp_path: Path) -> None:
    signature = signed(signer, b"data")
    assert verify(load_identity(tmp_path).public_key, Purpose.ROSTER, b"data", signature)


def test_verify_says_yes_to_what_was_signed_and_no_to_all_else(
    signer: Signer, tmp_path: Path
) -> None:
    key, signature = load_identity(tmp_path).public_key, signed(signer, b"data")
    assert got(signer.verify(key, Purpose.ROSTER, b"data", signature)) is True
    assert got(signer.verify(key, Purpose.LEDGER, b"data", signature)) is False
    assert got(signer.verify(key, Purpose.ROSTER, b"date", signature)) is False
    assert got(signer.verify(bytes(32), Purpose.ROSTER, b"data", signature)) is False


def test_verify_wrong_lengths_are_refused_without_the_process(signer: Signer) -> None:
    assert got(signer.verify(b"short", Purpose.ROSTER, b"data", bytes(64))) is False
    assert got(signer.verify(bytes(32), Purpose.ROSTER, b"data", b"short")) is False
    assert signer._helper is None


def test_sign_longest_data_passes_whole(signer: Signer, tmp_path: Path) -> None:
    data = bytes(range(256)) * (DATA_MAX // 256)
    signature = signed(signer, data)
    assert verify(load_identity(tmp_path).public_key, Purpose.ROSTER, data, signature)
    key = load_identity(tmp_path).public_key
    assert got(signer.verify(key, Purpose.ROSTER, data, signature)) is True


def test_sign_more_than_the_limit_is_our_bug(signer: Signer) -> None:
    with pytest.raises(AssertionError, match="sign the hash"):
        signer.sign(Purpose.ROSTER, bytes(DATA_MAX + 1))


def test_process_is_one_for_all_questions(signer: Signer) -> None:
    signed(signer, b"one")
    first = pid_of(signer)
    signed(signer, b"two")
    assert pid_of(signer) == first


def test_process_that_was_killed_is_started_again(signer: Signer) -> None:
    before = signed(signer, b"data")
    os.kill(pid_of(signer), signal.SIGKILL)
    assert signed(signer, b"data") == before


def test_process_that_ended_idle_is_started_again(tmp_path: Path) -> None:
    load_identity(tmp_path)
    signer = Signer(tmp_path, idle_s=0.01)
    try:
        before = signed(signer, b"data")
        assert signer._helper is not None
        assert signer._helper._process.wait(PATIENCE_S) == 0
        assert signed(signer, b"data") == before
    finally:
        signer.close()


def test_process_that_cannot_start_is_said(signer: Signer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(SigningError, match="cannot start the process that signs"):
        signed(signer, b"data")


def test_process_that_ends_at_once_is_said_and_not_started_for_ever(
    signer: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(SigningError, match="ends by itself"):
        signed(signer, b"data")


def test_process_that_hangs_is_given_up(signer: Signer, monkeypatch: pytest.MonkeyPatch) -> None:
    signed(signer, b"data")
    os.kill(pid_of(signer), signal.SIGSTOP)
    assert signer._helper is not None
    signer._helper._socket.settimeout(0.05)
    with pytest.raises(SigningError, match="no signature within"):
        signed(signer, b"data")
    assert signed(signer, b"data")


def test_sign_without_an_identity_says_what_to_do(tmp_path: Path) -> None:
    signer = Signer(tmp_path)
    try:
        with pytest.raises(SigningError, match="made at the daemon's first start"):
            signed(signer, b"data")
        (tmp_path / IDENTITY_FILE).write_text("garbage")
        (tmp_path / IDENTITY_FILE).chmod(0o600)
        with pytest.raises(SigningError, match="is damaged"):
            signed(signer, b"data")
    finally:
        signer.close()


def test_questions_of_several_threads_get_their_own_answers(signer: Signer) -> None:
    answers: dict[int, bytes] = {}

    def work(number: int) -> None:
        answers[number] = signed(signer, bytes((number,)))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert answers == {number: signed(signer, bytes((number,))) for number in range(8)}


def test_close_ends_the_process(tmp_path: Path) -> None:
    load_identity(tmp_path)
    signer = Signer(tmp_path)
    signed(signer, b"data")
    pid = pid_of(signer)
    signer.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_process_ends_with_its_parent(tmp_path: Path) -> None:
    """A daemon that is killed leaves nobody behind who holds its key."""
    load_identity(tmp_path)
    code = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from rackgrid.adapters.signer import Signer\n"
        "from rackgrid.adapters.signing import Purpose\n"
        "signer = Signer(Path(sys.argv[1]))\n"
        "signer.sign(Purpose.ROSTER, b'x').result()\n"
        "print(signer._helper._process.pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False
    )
    try:
        watch = os.pidfd_open(int(done.stdout))
    except ProcessLookupError:
        return  # gone already
    assert select.select([watch], [], [], PATIENCE_S)[0], "it outlives the daemon"
    os.close(watch)


def test_serve_answers_until_the_other_end_is_closed(tmp_path: Path) -> None:
    load_identity(tmp_path)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    thread = threading.Thread(target=serve, args=(tmp_path, theirs))
    thread.start()
    ours.settimeout(PATIENCE_S)
    ours.sendall(b"s\0data")
    assert len(ours.recv(module._FRAME_MAX)) == 65
    ours.close()
    thread.join(PATIENCE_S)
    assert not thread.is_alive()
    theirs.close()
