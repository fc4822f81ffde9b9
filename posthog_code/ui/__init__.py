"""The Qt skin."""
