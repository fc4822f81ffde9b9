"""The inbox of product signals: `page.InboxPage`, and `watching`, which costs little to import."""
