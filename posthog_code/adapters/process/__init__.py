"""Plain commands in process groups of their own."""
