"""Pure economics: bids, offers, and the price where they cross."""
