"""The errors of the controller.

RackgridError
├── ConfigError    (ValueError)  the configuration is wrong: carries every finding at once
├── KeyringError   (ValueError)  the rack's keys cannot be changed like that
├── StoreError     (OSError)     a promise cannot be kept durably: stop granting
├── SigningError   (OSError)     this node's key cannot be used
└── TransportError (OSError)     the network cannot be used as configured

A peer's fault is never an exception: it is a `Rejection`, a value, counted by reason. An assertion
that fails is our own bug, and stays on in production: a broken promise stops the process, and the
firmware's deadlines make its outputs safe.
"""

from __future__ import annotations


class RackgridError(Exception):
    """Anything that went wrong in the controller and that is not a bug."""


class ConfigError(RackgridError, ValueError):
    """The configuration is wrong.

    Attributes:
        findings: each thing that is wrong, one line each: `file:line: [table] key: problem`.
    """

    def __init__(self, *findings: str) -> None:
        super().__init__("\n".join(findings))
        self.findings = findings


class KeyringError(RackgridError, ValueError):
    """The rack's keys cannot be changed like that: says why, and what to do first."""


class StoreError(RackgridError, OSError):
    """State cannot be kept durably."""


class SigningError(RackgridError, OSError):
    """Nothing can be signed or checked: this node's key cannot be read or used."""


class TransportError(RackgridError, OSError):
    """The network cannot be used as configured."""
