"""Sheets over the window."""
