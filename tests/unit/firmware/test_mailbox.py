"""Fails if a reading is lost, the loop is not woken, or a thread waits for it."""

from __future__ import annotations

import select
import threading

from rackgrid_firmware.device import Quality, Reading
from rackgrid_firmware.mailbox import READINGS_MAX, Mailbox


def reading(number: int) -> Reading:
    return Reading("m", number, 12.0, 0.0, 0, Quality.FRESH)


def is_rung(mailbox: Mailbox, within_s: float = 0.0) -> bool:
    poll = select.poll()  # `select` knows no descriptor beyond 1023
    poll.register(mailbox, select.POLLIN)
    return bool(poll.poll(within_s * 1000))


def test_mailbox_wakes_its_reader_and_gives_everything_in_order() -> None:
    mailbox = Mailbox()
    assert not is_rung(mailbox)
    mailbox.put(reading(1))
    mailbox.put(reading(2))
    assert is_rung(mailbox)
    assert [each.t_ns for each in mailbox.take()] == [1, 2]
    assert not is_rung(mailbox)
    mailbox.put(reading(3))
    assert is_rung(mailbox)
    mailbox.close()


def test_mailbox_that_nobody_empties_keeps_the_newest_and_blocks_nobody() -> None:
    mailbox = Mailbox()
    for number in range(READINGS_MAX + 7):
        mailbox.put(reading(number))
    taken = mailbox.take()
    assert (len(taken), taken[0].t_ns) == (READINGS_MAX, 7)
    mailbox.close()
    mailbox.put(reading(1))


def test_mailbox_loses_nothing_that_comes_while_it_is_read() -> None:
    mailbox = Mailbox()
    last = 20_000

    def write() -> None:
        for number in range(1, last + 1):
            mailbox.put(reading(number))

    writer = threading.Thread(target=write)
    writer.start()
    newest = 0
    while newest < last:
        assert is_rung(mailbox, 10.0), "the bell was lost"
        for each in mailbox.take():
            assert each.t_ns > newest
            newest = each.t_ns
    writer.join()
    mailbox.close()
