from __future__ import annotations

import errno

import pytest

from rackgrid_firmware import errors


@pytest.mark.parametrize(
    ("leaf", "standard"),
    [
        (errors.DeviceUnavailable, OSError),
        (errors.DeviceForbidden, PermissionError),
        (errors.DeviceFault, ValueError),
        (errors.ProfileError, ValueError),
        (errors.DeviceClosed, Exception),
    ],
)
def test_error_of_a_device_is_caught_as_ours_and_as_the_standard_one(
    leaf: type[Exception], standard: type[Exception]
) -> None:
    assert issubclass(leaf, errors.DeviceError)
    with pytest.raises(standard, match=r"^what, where, what next$"):
        raise leaf("what, where, what next")


def test_error_from_the_system_keeps_its_sentence_when_it_gets_an_errno() -> None:
    """Fails if str() begins with '[Errno 121]': the sentence is what a user reads."""
    error = errors.DeviceUnavailable("no chip answers")
    error.errno = errno.EREMOTEIO
    assert str(error) == "no chip answers"
    assert error.errno == errno.EREMOTEIO
