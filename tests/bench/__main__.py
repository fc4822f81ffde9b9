"""`python -m tests.bench [NAME...]`: one line a comparison. Fails only when something crashed, never for a figure."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.bench.runner import Crashed
from tests.bench.suite import BENCHMARKS, Lab


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which ones (default: all): {', '.join(BENCHMARKS)}")
    parser.add_argument("--runs", type=int, default=5, help="pairs of each comparison (default: 5)")
    parser.add_argument("--big", action="store_true", help="repositories of 50,000 files as well")
    parser.add_argument("--folder", type=Path, help="keep the inputs here, for the next time")
    options = parser.parse_args()
    unknown = sorted(set(options.names) - set(BENCHMARKS))
    if unknown:
        parser.error(f"there is no benchmark {', '.join(unknown)}")
    crashed = 0
    with tempfile.TemporaryDirectory(prefix="posthog-code-bench-") as temporary:
        lab = Lab(options.folder or Path(temporary), options.runs, options.big)
        lab.folder.mkdir(parents=True, exist_ok=True)
        for name in options.names or BENCHMARKS:
            try:
                for line in BENCHMARKS[name](lab):
                    line.show()
            except Crashed as error:
                crashed += 1
                print(f"{name}: {error}", flush=True)
    return 1 if crashed else 0


if __name__ == "__main__":
    sys.exit(main())
