"""Outputs beyond the board: systemd units and plugs, each with a dead-man of its own."""
