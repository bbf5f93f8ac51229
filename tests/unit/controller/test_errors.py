from __future__ import annotations

import errno

import pytest

from rackgrid.errors import ConfigError, RackgridError, SigningError, StoreError, TransportError


@pytest.mark.parametrize(
    ("leaf", "standard"),
    [
        (ConfigError, ValueError),
        (StoreError, OSError),
        (SigningError, OSError),
        (TransportError, OSError),
    ],
)
def test_error_is_ours_and_the_standard_one(
    leaf: type[RackgridError], standard: type[Exception]
) -> None:
    """A caller that knows only the standard type still catches it."""
    assert issubclass(leaf, RackgridError)
    with pytest.raises(standard, match="what to do next"):
        raise leaf("what to do next")


def test_store_error_keeps_the_error_number_of_the_system() -> None:
    assert StoreError(errno.ENOSPC, "the card is full").errno == errno.ENOSPC
