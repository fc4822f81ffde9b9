"""Checks that every relative link in a Markdown file leads to a file."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LINK = re.compile(r"\[[^\]]*\]\(([^)#:]+)\)")


def main():
    broken = checked = 0
    for page in sorted(ROOT.glob("**/*.md")):
        for target in LINK.findall(page.read_text()):
            checked += 1
            if not (page.parent / target).exists():
                broken += 1
                print(f"✗ {page.relative_to(ROOT)}: {target} is missing", flush=True)
    print(f"{checked} links, {broken} broken", flush=True)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
