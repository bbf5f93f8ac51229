"""HTTP: the rack's state for people and programs."""
