"""The main window and what is always in it."""
