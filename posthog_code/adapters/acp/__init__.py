"""Agents over stdio: Agent Client Protocol, JSON-RPC 2.0, one message a line."""

from .host import AcpHost, make_agent_host
from .run import AcpRun
from .survivors import MARKER
from .timeouts import Timeouts

__all__ = ["MARKER", "AcpHost", "AcpRun", "Timeouts", "make_agent_host"]
