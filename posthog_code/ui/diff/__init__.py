"""A painted view of diffs: rows by arrays, real widgets only for comments. It knows no services."""
