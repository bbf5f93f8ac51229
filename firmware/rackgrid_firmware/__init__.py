"""The firmware: everything that touches copper, and nothing that knows of the rack."""
