"""What the window shows of PostHog's cloud besides the ordinary pages and panels."""
