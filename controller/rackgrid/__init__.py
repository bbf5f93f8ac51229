"""rackgrid: Raspberry Pis that share one feed, by price, and never oversubscribe it."""

__version__ = "0.1.0"
