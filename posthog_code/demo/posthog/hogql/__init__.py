"""HogQL for SQLite: a subset that is answered rightly; whatever is not understood is refused."""

from posthog_code.demo.posthog.hogql.compiler import Compiled, compile_query
from posthog_code.demo.posthog.hogql.parser import HogQLError

__all__ = ["Compiled", "HogQLError", "compile_query"]
