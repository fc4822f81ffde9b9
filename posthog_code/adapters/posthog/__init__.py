"""PostHog's cloud over HTTP: account, tasks, runs, live streams. Implements ports.cloud."""
