"""Scenarios: a rack at market level, a round a minute, with the real market and no network."""
