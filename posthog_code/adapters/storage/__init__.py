"""SQLite, journals and logs in the data folder."""
