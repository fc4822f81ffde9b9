"""The embedded demo world: sample repositories, an agent and a stand-in GitHub, each a real process."""
