"""The reader of code: what it refuses, follows, keeps and survives."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posthog_code.adapters.code import languages, make_code_reader, reader
from posthog_code.adapters.code.project import FOLLOWED
from posthog_code.domain.code_use import FileUses, UseKind
from tests.code_cases import ENDINGS, cases

JS = b"import posthog from 'posthog-js';\nposthog.capture('a', { one: 1, two });\n"


def write(root: Path, files: Mapping[str, str | bytes]) -> None:
    for path, text in files.items():
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(text.encode() if isinstance(text, str) else text)


def names(file: FileUses) -> list[str]:
    return [use.name for use in file.uses]


def test_one_text() -> None:
    found = make_code_reader().read_text("src/a.ts", JS)
    assert found.language == "typescript" and not found.problem
    (use,) = found.uses
    assert (use.kind, use.name, use.path, use.line, use.end_line) == (UseKind.EVENT, "a", "src/a.ts", 2, 2)
    assert (use.method, use.properties, use.dynamic) == ("capture", ("one", "two"), False)


@pytest.mark.parametrize(
    ("path", "language"),
    [("a.JSX", "javascript"), ("a.mts", "typescript"), ("b/c.tsx", "tsx"), ("a.py", "python"), ("a.go", "go"),
     ("a.rake", "ruby"), ("Makefile", ""), ("a.md", ""), (".py", ""), ("", "")],
)  # fmt: skip
def test_languages(path: str, language: str) -> None:
    assert make_code_reader().language_of(path) == language


def test_nothing_is_imported_before_something_is_read() -> None:
    code = "import sys; from posthog_code.adapters.code import make_code_reader as m; m().language_of('a.py')"
    words = [sys.executable, "-c", f"{code}; sys.exit('tree_sitter' in sys.modules)"]
    assert os.spawnv(os.P_WAIT, sys.executable, words) == 0


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"x = 1\n" * 200_000, "larger than 1 MB"),
        (b"posthog.capture('a')\0", "not a text file"),
        (b"posthog.capture('a');" * 1_000, "minified"),
        (b"import posthog from 'posthog-js';\nfunction (", "syntax error in line 2"),
        (b"\xff\xfe\x00", "not a text file"),
    ],
)
def test_what_cannot_be_read_says_why(text: bytes, problem: str) -> None:
    assert make_code_reader().read_text("a.js", text).problem == problem


def test_latin_1_is_read() -> None:
    found = make_code_reader().read_text("a.rb", "# caf\xe9\nposthog.capture(event: 'a')\n".encode("latin-1"))
    assert names(found) == ["a"]


def test_large_files_on_disk_are_not_loaded(tmp_path: Path) -> None:
    write(tmp_path, {"a.js": b"//" + b"x" * languages.LARGEST, "b.js": JS})
    found = asyncio.run(make_code_reader().read(tmp_path, ["a.js", "b.js", "gone.js", "c.txt"]))
    assert found["a.js"].problem == "larger than 1 MB" and names(found["b.js"]) == ["a"]
    assert found["gone.js"].problem.startswith("cannot be read") and not found["c.txt"].language


@pytest.mark.skipif(os.name == "nt", reason="links need a right")
def test_links_out_of_the_folder_are_not_followed(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    write(outside, {"track.js": "import p from 'posthog-js';\nexport const track = (n) => p.capture(n);\n"})
    write(
        root,
        {"a.js": "import { track } from './link';\nimport { track as t } from './in/track';\ntrack('a'); t('b');\n"},
    )
    (root / "link.js").symlink_to(outside / "track.js")
    (root / "in").symlink_to(outside)
    (root / "self.js").symlink_to(root / "a.js")
    found = asyncio.run(
        make_code_reader().read(root, ["a.js", "link.js", "in/track.js", "../outside/track.js", "self.js"])
    )
    assert not found["a.js"].uses and not found["self.js"].problem
    for path in ("link.js", "in/track.js", "../outside/track.js"):
        assert found[path].problem == "outside of the folder"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names")
def test_pipes_and_folders_are_no_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.js")
    (tmp_path / "folder.js").mkdir()
    write(tmp_path, {"a.js": "import './pipe';\nimport './folder.js';\nposthog.capture('a');\n"})
    found = asyncio.run(make_code_reader().read(tmp_path, ["pipe.js", "folder.js", "a.js"]))
    assert found["pipe.js"].problem == found["folder.js"].problem == "not a file"
    assert names(found["a.js"]) == ["a"]


def test_texts_stand_in_for_files(tmp_path: Path) -> None:
    write(tmp_path, {"a.ts": "import { track } from './t';\ntrack('x');\n", "t.ts": "export const track = (n) => n;\n"})
    reading = make_code_reader()
    wrapper = b"import p from 'posthog-js';\nexport const track = (n) => p.capture(n);\n"
    assert names(asyncio.run(reading.read(tmp_path, ["a.ts"]))["a.ts"]) == []
    assert names(asyncio.run(reading.read(tmp_path, ["a.ts"], {"t.ts": wrapper}))["a.ts"]) == ["x"]
    assert names(asyncio.run(reading.read(tmp_path, ["new.ts"], {"new.ts": JS}))["new.ts"]) == ["a"]


def test_only_what_changed_is_parsed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {f"f{n}.ts": f"import {{ track }} from './t';\ntrack('e{n}');\n" for n in range(5)}
    wrapper = "import p from 'posthog-js';\nexport const track = (n) => p.capture(n);\n"
    write(tmp_path, {**files, "t.ts": wrapper})
    parsed: list[bytes] = []
    parse = languages.parse
    monkeypatch.setattr(languages, "parse", lambda language, text: parsed.append(text) or parse(language, text))
    reading = make_code_reader()
    first = asyncio.run(reading.read(tmp_path, files))
    assert len(parsed) == 6 and [names(first[path]) for path in files] == [[f"e{n}"] for n in range(5)]
    parsed.clear()
    again = asyncio.run(reading.read(tmp_path, files))
    assert not parsed and all(again[path] is first[path] for path in files)
    write(tmp_path, {"f1.ts": "import { track } from './t';\ntrack('other');\n"})
    assert names(asyncio.run(reading.read(tmp_path, files))["f1.ts"]) == ["other"] and len(parsed) == 1
    # What a wrapper is decides what its callers use.
    write(tmp_path, {"t.ts": "export const track = (n) => n;\n"})
    assert not any(file.uses for file in asyncio.run(reading.read(tmp_path, files)).values())


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "_KEPT_RESULTS", 10)
    reading = reader.TreeSitterReader()
    for number in range(50):
        reading.read_text(f"a{number}.js", JS + b"// %d" % number)
    assert len(reading._results) == 10
    trees = languages.Trees(most=1_000)
    for number in range(50):
        trees.parse("javascript", b"%d" % number, b"x" * 400)
    assert trees._size <= 1_000 and len(trees._kept) == 2


def test_imports_are_followed_up_to_a_number(tmp_path: Path) -> None:
    wrapper = "import p from 'posthog-js';\nexport const track{n} = (name) => p.capture(name);\n"
    count = FOLLOWED + 10
    write(tmp_path, {f"w{n}.ts": wrapper.format(n=n) for n in range(count)})
    lines = [f"import {{ track{n} }} from './w{n}';" for n in range(count)] + [
        f"track{n}('e{n}');" for n in range(count)
    ]
    write(tmp_path, {"a.ts": "\n".join(lines)})
    found = names(asyncio.run(make_code_reader().read(tmp_path, ["a.ts"]))["a.ts"])
    assert found[:FOLLOWED] == [f"e{n}" for n in range(FOLLOWED)] and len(found) < count


def test_circles_and_long_chains_end(tmp_path: Path) -> None:
    link = "import {{ t{m} }} from './c{m}';\nexport const t{n} = (x) => t{m}(x);\nt{n}('n{n}');\n"
    chain = {f"c{n}.ts": link.format(n=n, m=n + 1) for n in range(40)}
    chain["c40.ts"] = "import p from 'posthog-js';\nimport './c0';\nexport const t40 = (x) => p.capture(x);\n"
    chain["self.ts"] = "import { a } from './self';\nexport * from './self';\nposthog.capture(a);\n"
    for one, other in (("x", "y"), ("y", "x")):
        stars = "".join(f"export * from './{name}';\n" for name in (other, one, other, "self"))
        chain[f"{one}.ts"] = f"import {{ a, b }} from './{other}';\n{stars}posthog.capture(b);\n"
    write(tmp_path, chain)
    found = asyncio.run(make_code_reader().read_all(tmp_path, chain))
    assert names(found["c39.ts"])[-1] == "n39" and names(found["c38.ts"])[-1] == "n38"
    assert not found["c20.ts"].uses and all(found[f"{name}.ts"].uses[0].dynamic for name in ("self", "x", "y"))


def test_a_repository_as_a_whole(tmp_path: Path) -> None:
    for language in ENDINGS:
        for number, case in enumerate(cases(language)[:12]):
            write(tmp_path / language / str(number), case.texts)
    paths = [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()]
    reading = make_code_reader()
    each = asyncio.run(reading.read(tmp_path, paths))
    whole = asyncio.run(reading.read_all(tmp_path, paths))
    assert {path: file.uses for path, file in whole.items()} == {path: file.uses for path, file in each.items()}
    assert sum(len(file.uses) for file in whole.values()) > 80
    assert not any(file.entries for file in whole.values()) and any(file.wrappers for file in whole.values())


def test_a_module_of_go_inside_of_a_repository(tmp_path: Path) -> None:
    (case,) = (case for case in cases("go") if case.name == "wrapper of another package")
    write(tmp_path / "services" / "shop", case.texts)
    paths = [f"services/shop/{path}" for path in case.texts if path.endswith(".go")]
    for reading in (make_code_reader().read, make_code_reader().read_all):
        found = asyncio.run(reading(tmp_path, paths))
        assert names(found["services/shop/cmd/run.go"]) == ["ran", "sent"]


def test_files_without_posthog_are_not_parsed_for_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[bytes] = []
    parse = languages.parse
    monkeypatch.setattr(languages, "parse", lambda language, text: parsed.append(text) or parse(language, text))
    write(tmp_path, {"a.ts": JS, **{f"b{n}.ts": f"export const x{n} = screen.capture({n});\n" for n in range(20)}})
    asyncio.run(make_code_reader().read_all(tmp_path, ["a.ts", *(f"b{n}.ts" for n in range(20))]))
    assert parsed == [JS]


def test_a_reading_may_be_cancelled_between_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "_SLICE_S", 0.0)
    write(tmp_path, {f"f{n}.js": JS + b"// %d" % n for n in range(200)})
    reading = reader.TreeSitterReader()
    seen: list[str] = []
    enough = threading.Event()
    one = reading._file

    def slowly(project: object, path: str, with_entries: bool) -> FileUses:
        seen.append(path)
        if len(seen) == 3:
            enough.set()
        return one(project, path, with_entries)  # type: ignore[arg-type]

    monkeypatch.setattr(reading, "_file", slowly)

    async def cancelled() -> None:
        task = asyncio.ensure_future(reading.read(tmp_path, [f"f{n}.js" for n in range(200)]))
        await asyncio.to_thread(enough.wait, 30)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    assert 3 <= len(seen) < 200
    # And what was begun hinders nobody.
    assert names(asyncio.run(reading.read(tmp_path, ["f1.js"]))["f1.js"]) == ["a"]


def test_two_readings_at_once(tmp_path: Path) -> None:
    write(tmp_path, {f"f{n}.js": JS + b"posthog.capture('e%d');" % n for n in range(30)})
    reading = make_code_reader()

    async def both() -> None:
        paths = [f"f{n}.js" for n in range(30)]
        for found in await asyncio.gather(*(reading.read(tmp_path, paths) for _ in range(4))):
            assert [names(found[path])[-1] for path in paths] == [f"e{n}" for n in range(30)]

    asyncio.run(both())


def test_large_files_let_other_threads_run() -> None:
    """Parsing holds the interpreter's lock; pieces let go of it."""
    text = b"".join(b"export function f%d(a) { return a + %d; }\n" % (n, n) for n in range(15_000))
    turns = 0
    done = threading.Event()

    def count() -> None:
        nonlocal turns
        while not done.wait(0.0005):
            turns += 1

    thread = threading.Thread(target=count)
    thread.start()
    try:
        before = turns
        assert languages.parse("javascript", text).tree is not None
        assert turns > before
    finally:
        done.set()
        thread.join()


def test_deep_nesting_ends() -> None:
    for text in (b"posthog.capture(" + b"(" * 5_000 + b"x" + b")" * 5_000 + b")",
                 b"posthog" + b".a" * 5_000 + b".capture('a')", b"posthog.capture(" + b"[" * 5_000):  # fmt: skip
        make_code_reader().read_text("a.js", b"import posthog from 'posthog-js';\n" + text)


_SOURCES = {language: [text for case in cases(language) for text in case.texts.values()] for language in ENDINGS}


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_broken_code_never_raises(data: st.DataObject) -> None:
    """Cases cut, glued and disturbed at random: something is read or a problem is told, and all lines are there."""
    language = data.draw(st.sampled_from(sorted(ENDINGS)))
    text = b"".join(data.draw(st.lists(st.sampled_from(_SOURCES[language]), min_size=1, max_size=3)))
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    text = text[:start] + data.draw(st.binary(max_size=6)) + text[end:]
    found = make_code_reader().read_text(f"a.{ENDINGS[language]}", text)
    assert found.problem != "could not be read"
    for thing in (*found.uses, *found.entries):
        assert 1 <= thing.line <= thing.end_line <= text.count(b"\n") + 1
