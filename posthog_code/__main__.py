"""`python -m posthog_code` and the `posthog-code` command."""

from __future__ import annotations

import sys


def main() -> int:
    # Imported here: the demo agent and other children start through this file and want none of the rest.
    from posthog_code.app.main import main as run

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
