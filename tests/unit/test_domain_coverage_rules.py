"""Which changed entry points want an event, an error capture or a flag, and which have it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posthog_code.domain.changed_lines import FileChange, Lines
from posthog_code.domain.code_asks import Habit, add_events, habit_of
from posthog_code.domain.code_calls import sending_functions, sent_through
from posthog_code.domain.code_use import CodeUse, EntryKind, EntryPoint, FileUses, UseKind, Wrapper
from posthog_code.domain.coverage import Coverage
from posthog_code.domain.coverage_rules import Changed, changed_entries, coverage, place_line, sibling_paths, summary

PATH = "src/api/pay/route.ts"


def entry(kind: EntryKind, line: int, end: int, name: str = "it", path: str = PATH) -> EntryPoint:
    return EntryPoint(kind, name, path, line, end)


def use(kind: UseKind, line: int, name: str = "paid", path: str = PATH) -> CodeUse:
    return CodeUse(kind, name, path, line, line, "capture")


def change(*lines: tuple[int, int], path: str = PATH, cuts: tuple[int, ...] = ()) -> FileChange:
    return FileChange(path, path, added=lines, said=lines, cuts=cuts)


def check(
    entries: tuple[EntryPoint, ...], uses: tuple[CodeUse, ...], lines: Lines, text: str = "", **more: object
) -> Coverage:
    files = {PATH: FileUses(PATH, "typescript", uses, entries)}
    return coverage(Changed({PATH: change(*lines)}, files, {PATH: text}, **more))  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", [EntryKind.ROUTE, EntryKind.HANDLER, EntryKind.JOB, EntryKind.ACTION])
def test_a_changed_entry_point_wants_an_event(kind: EntryKind) -> None:
    bare = check((entry(kind, 1, 9),), (), ((4, 4),))
    assert not bare.passed and bare.places[0].missing == ("event",)
    sent = check((entry(kind, 1, 9),), (use(UseKind.EVENT, 8),), ((4, 4),))
    assert sent.passed and sent.covered == 1 and sent.places[0].uses[0].name == "paid"


@pytest.mark.parametrize("kind", [UseKind.FLAG, UseKind.ERROR, UseKind.IDENTIFY, UseKind.INIT])
def test_nothing_else_stands_for_an_event(kind: UseKind) -> None:
    assert not check((entry(EntryKind.ROUTE, 1, 9),), (use(kind, 3),), ((4, 4),)).passed


@pytest.mark.parametrize(("kind", "good"), [(UseKind.ERROR, True), (UseKind.EVENT, True), (UseKind.FLAG, False)])
def test_an_error_path_wants_an_error_capture_or_an_event_that_tells_of_it(kind: UseKind, good: bool) -> None:
    found = check((entry(EntryKind.ERROR_PATH, 3, 5),), (use(kind, 4),), ((3, 4),))
    assert found.passed is good
    if not good:
        assert found.places[0].missing == ("error capture",)


def test_what_did_not_change_and_what_only_says_something_is_left_alone() -> None:
    entries = (entry(EntryKind.ROUTE, 1, 5), entry(EntryKind.ROUTE, 10, 15))
    assert check(entries, (), ((7, 8),)) == Coverage()
    assert check(entries, (), ()) == Coverage()
    assert len(check(entries, (), ((12, 12),)).places) == 1


def test_taking_the_event_out_is_a_change_of_the_place() -> None:
    files = {PATH: FileUses(PATH, "typescript", (), (entry(EntryKind.ROUTE, 1, 5),))}
    found = coverage(Changed({PATH: change(cuts=(2,))}, files))
    assert [place.missing for place in found.places] == [("event",)]


def test_lines_belong_to_the_innermost_entry_point_and_error_paths_stand_beside_it() -> None:
    outer, inner = entry(EntryKind.ROUTE, 1, 20, "outer"), entry(EntryKind.ACTION, 5, 9, "inner")
    caught = entry(EntryKind.ERROR_PATH, 6, 8, "catch")
    found = changed_entries((outer, inner, caught), change((7, 7)))
    assert [one.name for one in found] == ["inner", "catch"]
    assert [one.name for one in changed_entries((outer, inner, caught), change((2, 2)))] == ["outer"]


@given(
    st.lists(st.tuples(st.integers(1, 40), st.integers(0, 20), st.sampled_from(list(EntryKind))), max_size=6),
    st.lists(st.integers(1, 60), max_size=8, unique=True),
)
def test_every_changed_line_that_is_in_an_entry_point_has_one_that_answers_for_it(
    spans: list[tuple[int, int, EntryKind]], lines: list[int]
) -> None:
    entries = tuple(entry(kind, line, line + more, f"e{n}") for n, (line, more, kind) in enumerate(spans))
    touched = change(*((line, line) for line in sorted(lines)))
    found = changed_entries(entries, touched)
    assert set(found) <= set(entries) and len(found) == len(set(found))
    for line in lines:
        around = [one for one in entries if one.line <= line <= one.end_line]
        assert not around or any(one in found for one in around)


def test_the_summary_names_what_is_missing() -> None:
    entries = (entry(EntryKind.ROUTE, 1, 3, "POST /pay"), entry(EntryKind.HANDLER, 5, 8, "webhook handler"))
    found = check(entries, (use(UseKind.EVENT, 2),), ((2, 2), (6, 6)))
    assert summary(found) == "1 of 2 changed paths sends an event. Missing: webhook handler."
    assert place_line(found.places[1]) == f"{PATH}:5  webhook handler  needs an event"
    assert summary(Coverage()) == "" and Coverage().passed


def test_tests_are_no_entry_points_and_unread_files_are_told() -> None:
    path = "tests/pay.test.ts"
    files = {
        path: FileUses(path, "typescript", (), (entry(EntryKind.ACTION, 1, 5, path=path),)),
        PATH: FileUses(PATH, "typescript", problem="larger than 1 MB"),
    }
    found = coverage(Changed({path: change((2, 2), path=path), PATH: change((1, 1))}, files))
    assert found.places == () and found.unread == (f"{PATH}: larger than 1 MB",)


# -- flags ---------------------------------------------------------------------------------------------------------


def sibling(name: str, flagged: bool) -> dict[str, FileUses]:
    path = f"src/api/{name}/route.ts"
    uses = (use(UseKind.FLAG, 3, "api", path),) if flagged else ()
    return {path: FileUses(path, "typescript", uses, (entry(EntryKind.ROUTE, 1, 9, name, path),))}


@pytest.mark.parametrize(
    ("flags", "expected"), [("111", True), ("110", True), ("100", False), ("11", False), ("1100", False), ("", False)]
)
def test_a_route_wants_a_flag_where_most_of_its_siblings_check_one(flags: str, expected: bool) -> None:
    siblings: dict[str, FileUses] = {}
    for number, flagged in enumerate(flags):
        siblings |= sibling(f"s{number}", flagged == "1")
    found = check((entry(EntryKind.ROUTE, 1, 9),), (use(UseKind.EVENT, 3),), ((4, 4),), siblings=siblings)
    assert found.places[0].missing == (("flag",) if expected else ())
    job = check((entry(EntryKind.JOB, 1, 9),), (use(UseKind.EVENT, 3),), ((4, 4),), siblings=siblings)
    assert job.passed


def test_siblings_are_in_the_same_folder_or_have_the_same_role() -> None:
    known = ["src/api/a/route.ts", "src/api/b/c/route.ts", "src/api/b/page.tsx", "src/api/pay/helper.ts", "lib/x.ts"]
    assert sibling_paths([*known, PATH, "src/api/pay/route.test.ts"], [PATH]) == (
        "src/api/a/route.ts",
        "src/api/b/c/route.ts",
        "src/api/pay/helper.ts",
    )
    assert sibling_paths(["app/views/a.py", "app/b.py"], ["app/views/c.py"]) == ("app/views/a.py",)


# -- calls inside of a file ------------------------------------------------------------------------------------------

CALLS = {
    "function": ("function told() {\n  send()\n}\n\nfunction route() {\n  told()\n}\n", 2, 5, 7),
    "arrow": ("const told = async (a: A) => {\n  send()\n}\n\nconst route = () => {\n  await told(a)\n}\n", 2, 5, 7),
    "method": ("class A {\n  async told() {\n    send()\n  }\n  route() {\n    this.told()\n  }\n}\n", 3, 5, 7),
    "python": ("def told():\n    send()\n\n\ndef route():\n    if x:\n        told()\n", 2, 5, 7),
    "ruby": ("class A\n  def told!\n    send\n  end\n\n  def route\n    told!\n  end\nend\n", 3, 6, 8),
    "go": ("func (s *S) told(a int) {\n\tsend()\n}\n\nfunc route() {\n\ts.told(1)\n}\n", 2, 5, 7),
    "twice": (
        "def deep():\n    send()\n\ndef told(\n    a,\n):\n    deep()\n\ndef route():\n    told(1)\n",
        2,
        9,
        10,
    ),
    "handed on": ("function told() {\n  send()\n}\n\nconst a = (\n  <B onClick={told} />\n)\n", 2, 5, 7),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_call_in_a_function_that_the_body_calls_counts(name: str) -> None:
    text, line, first, last = CALLS[name]
    sent = use(UseKind.EVENT, line)
    found = check((entry(EntryKind.ROUTE, first, last),), (sent,), ((last - 1, last - 1),), text)
    assert found.passed and found.places[0].uses == (sent,)


@pytest.mark.parametrize(
    "text",
    [
        "def told():\n    send()\n\n\ndef route():\n    other()\n",
        "def told():\n    send()\n\n\ndef route():\n    untold()\n",
        "def told():\n    send()\n\n\ndef route():\n    post('told')\n",
        "def told():\n    send()\n\n\ndef route():\n    post()  # told by others\n",
        "def told():\n    send()\n\n\ndef route():\n    post({told: 1}, other.told)\n",
        "function told() {\n  send()\n}\n\nfunction route() {\n  fetch('/x', { method: \"told\" }) // told\n}\n",
        "def told():\n    send()\n\n\ndef route():\n    return 1\n\ndef last():\n    told()\n",
        "send = 1\n\nif send:\n    send()\n\ndef route():\n    pass\n",
    ],
)
def test_what_the_body_does_not_call_does_not_count(text: str) -> None:
    lines = text.splitlines()
    first = next(n for n, line in enumerate(lines, 1) if "route" in line)
    found = check(
        (entry(EntryKind.ROUTE, first, first + 1),), (use(UseKind.EVENT, 2),), ((first + 1, first + 1),), text
    )
    assert not found.passed


@given(st.text(max_size=300), st.integers(-2, 30), st.integers(-2, 30))
def test_any_text_can_be_searched_for_calls(text: str, line: int, other: int) -> None:
    lines = text.splitlines()
    functions = sending_functions(lines, (use(UseKind.EVENT, line),))
    sent_through(lines, max(1, other), max(1, other) + 3, functions)


# -- the follow-up -----------------------------------------------------------------------------------------------------


def test_the_follow_up_names_places_and_the_projects_own_way() -> None:
    found = check((entry(EntryKind.HANDLER, 5, 8, "webhook handler"),), (), ((6, 6),))
    wrapper = Wrapper(UseKind.EVENT, "track", "src/analytics.ts", 12, 0)
    through = CodeUse(UseKind.EVENT, "cart_opened", "src/cart.ts", 30, 30, "track", via="src/analytics.ts:12")
    direct = CodeUse(UseKind.EVENT, "other", "src/z.ts", 3, 3, "capture")
    caught = CodeUse(UseKind.ERROR, "", "src/z.ts", 9, 9, "captureException")
    tested = CodeUse(UseKind.EVENT, "fake", "src/z.test.ts", 1, 1, "capture")
    files = (
        FileUses("src/analytics.ts", wrappers=(wrapper,)),
        FileUses("src/cart.ts", uses=(through,)),
        FileUses("src/z.ts", uses=(direct, caught)),
        FileUses("src/z.test.ts", uses=(tested,)),
    )
    text = add_events(found, habit_of(files))
    assert f"- {PATH}:5  webhook handler  needs an event" in text
    assert "`track` (src/analytics.ts:12), as in src/cart.ts:30" in text
    assert "`cart_opened`" in text and "src/z.ts:9" in text and "fake" not in text


def test_without_an_example_the_agent_is_told_so() -> None:
    found = check((entry(EntryKind.JOB, 1, 8),), (), ((6, 6),))
    assert habit_of(()) == Habit() and "No event is sent anywhere" in add_events(found, Habit())
    plain = habit_of((FileUses("a.py", uses=(CodeUse(UseKind.EVENT, "x", "a.py", 4, 4, "capture"),)),))
    assert "with `capture`, as in a.py:4" in add_events(found, plain)


def test_many_places_are_cut() -> None:
    entries = tuple(entry(EntryKind.ACTION, n * 3 + 1, n * 3 + 2, f"a{n}") for n in range(60))
    found = check(entries, (), ((1, 200),))
    text = add_events(found, Habit())
    assert text.count("needs an event") == 40 and "20 more" in text
