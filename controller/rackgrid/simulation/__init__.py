"""A whole rack in one thread, on a virtual clock."""
