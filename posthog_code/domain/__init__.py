"""Facts and rules. Pure: no I/O, no clock, no event loop."""
