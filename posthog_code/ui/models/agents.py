"""How the state of an agent is shown."""

from __future__ import annotations

from posthog_code.domain.agent import AgentStatus

STATUS_WORDS = {
    AgentStatus.READY: ("Ready", "ph.check-circle", "status.success"),
    AgentStatus.SIGNED_OUT: ("Not signed in", "ph.warning-circle", "status.waiting"),
    AgentStatus.NOT_INSTALLED: ("Not installed", "", "text.muted"),
}
"""Word, icon ("" for none) and colour token."""
