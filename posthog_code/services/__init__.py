"""Use cases as coroutines."""
