"""The proxy that lets agents use PostHog's MCP server, and the bridge for agents that only start programs."""
