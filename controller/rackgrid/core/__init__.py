"""What decides about power: events in, actions out, no input or output of its own."""
