"""Checks the sources without a JavaScript engine: imports, exports, brackets, and what each test expects of a file.

    python3 tests/run.py [folder ...]

A test is an `it('name', ...)` block. Comments in it say what holds: `// in PATH: has "TEXT"`, `// in PATH: lacks "TEXT"`,
`// no PATH`.
"""

import re
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
IMPORT = re.compile(r"import\s+(?:type\s+)?\{([^}]*)\}\s+from\s+'([^']+)'")
EXPORT = re.compile(r"export\s+(?:async\s+)?(?:function|const|class|interface|type)\s+(\w+)")
TEST = re.compile(r"\bit\('([^']+)'")
EXPECT = re.compile(r"// (?:in (?P<path>\S+): (?P<verb>has|lacks) \"(?P<text>[^\"]*)\"|no (?P<gone>\S+))")


def resolve(source, target):
    base = (source.parent / target).resolve()
    for candidate in (base, base.with_name(base.name + ".ts"), base.with_name(base.name + ".tsx")):
        if candidate.is_file():
            return candidate
    return None


def brackets(text):
    text = re.sub(r"/\*.*?\*/|//[^\n]*", "", text, flags=re.S)
    text = re.sub(r"`[^`]*`|'[^'\n]*'|\"[^\"\n]*\"", "''", text)
    for opened, closed in ("()", "[]", "{}"):
        if text.count(opened) != text.count(closed):
            return f"{text.count(opened)} {opened} but {text.count(closed)} {closed}"
    return ""


def problems_of(source):
    text = source.read_text()
    wrong = brackets(text)
    if wrong:
        yield wrong
    for names, target in IMPORT.findall(text):
        if not target.startswith("."):
            continue
        found = resolve(source, target)
        if found is None:
            yield f"cannot resolve '{target}'"
            continue
        exported = set(EXPORT.findall(found.read_text()))
        for name in filter(None, (part.strip() for part in names.split(","))):
            if name not in exported:
                yield f"'{target}' does not export {name}"
            if len(re.findall(rf"\b{name}\b", text)) < 2:
                yield f"{name} is imported but not used"


def expectations(block):
    for match in EXPECT.finditer(block):
        if match["gone"]:
            if (ROOT / match["gone"]).exists():
                yield f"{match['gone']} is still there"
            continue
        path = ROOT / match["path"]
        text = path.read_text() if path.is_file() else ""
        if (match["text"] in text) != (match["verb"] == "has"):
            yield f"{match['path']} {'lacks' if match['verb'] == 'has' else 'still has'} {match['text']}"


def main(arguments):
    started = time.perf_counter()
    passed = failed = 0
    for source in sorted(ROOT.glob("src/**/*.ts*")):
        for problem in problems_of(source):
            failed += 1
            print(f"✗ {source.relative_to(ROOT)}: {problem}", flush=True)
    for file in sorted(ROOT.glob("tests/**/*.test.ts")):
        if arguments and not any(word in str(file.relative_to(ROOT)) for word in arguments):
            continue
        print(file.relative_to(ROOT), flush=True)
        parts = TEST.split(file.read_text())
        for name, block in zip(parts[1::2], parts[2::2]):
            wrong = [*problems_of(file), *expectations(block)]
            passed, failed = passed + (not wrong), failed + bool(wrong)
            print(f"  {'✗' if wrong else '✓'} {name}", flush=True)
            for line in wrong:
                print(f"      {line}", flush=True)
    took = (time.perf_counter() - started) * 1000
    print(f"\n{passed} passed, {failed} failed in {took:.0f} ms", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
