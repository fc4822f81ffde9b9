"""The panels beside a task: strangers to each other."""
