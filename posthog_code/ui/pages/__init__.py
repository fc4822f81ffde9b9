"""Whole pages that take the place of a task."""
