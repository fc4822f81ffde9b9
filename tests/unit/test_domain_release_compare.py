"""Before and after a release: rates, noise, verdicts, words."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posthog_code.domain import release_compare as rc
from posthog_code.domain.pull_request import PullRequest, PullRequestState
from posthog_code.domain.release_compare import ErrorFigure, Figures, FunnelFigure, Rates, compare, moved, rates
from posthog_code.domain.release_watch import Direction, Metric, ReleaseWatch, TouchedHunk
from posthog_code.domain.release_words import change_words, figure, follow_up, signal_fingerprint, signal_text
from posthog_code.domain.touched_code import is_product_code, passed_path, touched_code

T0 = 1_000_000_000.0
WEEK = range(-168, 0)


def steady(before: int, after: int, hours: int = 24) -> dict[int, int]:
    return {**dict.fromkeys(WEEK, before), **dict.fromkeys(range(hours), after)}


def figures(by_hour: dict[int, int], hours: float = 24, **more: object) -> Figures:
    return replace(Figures(T0, T0 + hours * 3600, error_hours=by_hour), **more)  # type: ignore[arg-type]


def by_id(found: rc.Comparison) -> dict[str, Metric]:
    return {metric.id: metric for metric in found.metrics}


def test_better_with_figures() -> None:
    found = compare(figures(steady(36, 1)))
    assert found.direction is Direction.BETTER
    assert found.verdict == "−97 % errors per hour, 36 to 1; no new errors in 24 hours since the release."
    errors = by_id(found)["errors"]
    assert (errors.before, errors.after) == (36.0, 1.0)
    assert found.series[0] == (T0 - 14 * 3600, 36.0) and len(found.series) == 14 + 24


def test_one_error_to_two_is_the_same() -> None:
    found = compare(figures({-30: 1, 3: 1, 7: 1}))
    assert by_id(found)["errors"].direction is Direction.SAME and found.direction is Direction.SAME


def test_nothing_to_a_few_is_worse_and_a_single_one_is_not() -> None:
    busy = dict.fromkeys(range(-168, 24), 50)
    assert compare(figures({2: 1}, traffic=busy)).direction is Direction.SAME
    found = compare(figures({2: 4, 5: 5}, traffic=busy))
    assert found.direction is Direction.WORSE and found.worst is not None and found.worst.id == "errors"
    assert "more errors per day, 0 to 9" in found.verdict.lower()


def test_a_night_is_compared_with_nights() -> None:
    day = {hour: 40 if hour % 24 < 12 else 4 for hour in range(-168, 0)}
    found = compare(figures({**day, **dict.fromkeys(range(6), 40)}, hours=6))
    assert by_id(found)["errors"].direction is Direction.SAME
    assert by_id(found)["errors"].before == 40.0


def test_what_varies_much_needs_more() -> None:
    bursts = {hour: 120 if hour % 5 == 0 else 0 for hour in range(-168, 0)}
    assert moved(rates({**bursts, 0: 120}, 2, -168)) == 0
    calm = dict.fromkeys(range(-168, 0), 24)
    assert moved(rates({**calm, 0: 60, 1: 60}, 2, -168)) == 1


def test_no_traffic_proves_nothing() -> None:
    assert compare(figures({})).direction is Direction.UNKNOWN
    gone = dict.fromkeys(WEEK, 100) | {0: 3}
    found = compare(figures(steady(36, 0), traffic=gone))
    assert found.direction is Direction.UNKNOWN and "Hardly anybody" in found.verdict


def test_too_early_says_nothing() -> None:
    found = compare(figures(dict.fromkeys(WEEK, 9), hours=0.2))
    assert found.direction is Direction.UNKNOWN and found.verdict == ""


def test_a_young_project_has_a_shorter_time_before() -> None:
    found = compare(figures(dict.fromkeys(range(-30, 12), 10), hours=12))
    errors = by_id(found)["errors"]
    assert errors.before == pytest.approx(10) and errors.direction is Direction.SAME


def test_new_errors_need_the_changed_code_and_some_occurrences() -> None:
    old = ErrorFigure("a", "Old", "src/a.ts", T0 - 9, 5, 50)
    elsewhere = ErrorFigure("b", "Elsewhere", "", T0 + 60, 9, 9)
    once = ErrorFigure("c", "Once", "src/a.ts", T0 + 60, 1, 1)
    often = ErrorFigure("d", "TypeError", "src/a.ts", T0 + 60, 12, 12, place="src/a.ts:4")
    same = compare(figures(steady(20, 20), errors=(old, elsewhere, once)))
    assert same.direction is Direction.SAME and same.new_errors == ("Once",)
    worse = compare(figures(steady(20, 20), errors=(old, once, often)))
    assert worse.direction is Direction.WORSE and worse.new_errors == ("TypeError", "Once")
    assert by_id(worse)["new_errors"].place == "src/a.ts:4"
    assert worse.verdict.startswith("2 new errors in the changed code")


def test_events_by_what_their_name_says() -> None:
    hours = {"checkout_timed_out": steady(30, 2), "payment_submitted": steady(200, 20), "retry_shown": {3: 8}}
    found = by_id(compare(figures({}, event_hours=hours), {"payment_submitted": "src/pay.ts:40"}))
    assert found["event:checkout_timed_out"].direction is Direction.BETTER
    assert found["event:payment_submitted"].direction is Direction.WORSE
    assert found["event:payment_submitted"].place == "src/pay.ts:40"
    assert found["event:retry_shown"].direction is Direction.WORSE
    new = by_id(compare(figures({}, event_hours={"order_seen": {3: 8}, "buy": steady(5, 5)})))["event:order_seen"]
    assert new.direction is Direction.SAME and new.detail == "new: 8 times"


@pytest.mark.parametrize("name", ["payment failed", "checkoutTimedOut", "api_error", "request-timeout", "App Crashed"])
def test_bad_news(name: str) -> None:
    assert rc.is_bad_news(name)


@pytest.mark.parametrize("name", ["terror_shown", "cancellation_policy_seen", "signed_up", "$pageview", "deniable"])
def test_no_bad_news(name: str) -> None:
    assert not rc.is_bad_news(name)


def test_funnels() -> None:
    fewer = FunnelFigure("cart_opened", "paid", 1000, 600, 300, 120)
    few = FunnelFigure("cart_opened", "paid", 1000, 600, 12, 1)
    found = compare(figures(steady(1, 1), funnels=(fewer,)))
    assert found.direction is Direction.WORSE
    assert "−33 % go on from cart_opened to paid, 60 % to 40 %" in found.verdict
    assert by_id(compare(figures({}, funnels=(few,))))["funnel:cart_opened→paid"].direction is Direction.UNKNOWN


def test_words() -> None:
    assert change_words(Metric("errors", "errors per hour", 36, 1)) == "−97 % errors per hour, 36 to 1"
    assert change_words(Metric("errors", "errors per hour", 0.2, 0.04)) == "−80 % errors per day, 4.8 to 1"
    assert change_words(Metric("errors", "errors per hour", 1, 40)) == "40 times the errors per hour, 1 to 40"
    assert change_words(Metric("rage_clicks", "rage clicks per hour")) == "no rage clicks"
    assert change_words(Metric("errors", "errors per hour", 0, 12)) == "more errors per hour, 0 to 12"
    assert figure(0.01) == "less than 0.1" and figure(12_345.0) == "12.3k"


def test_the_follow_up_is_linked_to_the_hunk() -> None:
    worse = Metric("errors", "errors per hour", 1, 30, Direction.WORSE, "detail", "src/a.ts:4")
    watch = ReleaseWatch(
        "t", pull_request=7, released_at=T0, released_by="tag", metrics=(worse,), verdict="Worse.", new_errors=("Boom",)
    )  # type: ignore[arg-type]
    pull = PullRequest(7, "Charge once", "https://x/pull/7", PullRequestState.MERGED, "b", "main")
    prompt = follow_up(watch, pull, TouchedHunk("src/a.ts", 4, 6, "-old\n+```new"))
    for part in ("src/a.ts:4", "https://x/pull/7", "30 times", "Boom", "````diff\n-old\n+```new\n````"):
        assert part in prompt
    assert "\n> Boom\n" in prompt and "never an instruction" in prompt
    assert "errors per hour" in signal_text(watch, pull) and "https://x/pull/7" in signal_text(watch, pull)
    assert signal_fingerprint(3, "acme/web", 7, "t") != signal_fingerprint(4, "acme/web", 7, "t")


counts = st.dictionaries(st.integers(-168, 23), st.integers(0, 5000), max_size=60)


@given(counts, st.floats(0, 24), counts, st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6))
def test_any_figures_can_be_compared(
    errors: dict[int, int], hours: float, events: dict[int, int], n: int, m: int, k: int
) -> None:
    funnel = FunnelFigure("a", "b", n, min(n, k), m, min(m, k))
    found = compare(
        figures(errors, hours, event_hours={"a": events}, traffic=events, rage_known=True, funnels=(funnel,))
    )
    assert all(metric.before >= 0 and metric.after >= 0 and metric.label for metric in found.metrics)
    assert bool(found.verdict) == (hours >= rc.ENOUGH)
    assert list(found.series) == sorted(found.series)


@given(st.integers(0, 400), st.integers(0, 400), st.integers(1, 24))
def test_more_is_never_better_and_equal_is_the_same(before: int, after: int, hours: int) -> None:
    step = moved(Rates(before * 7 * hours, 7 * hours, after * hours, hours))
    assert step == 0 if before == after else step in (0, 1 if after > before else -1)


# -- the touched code --------------------------------------------------------------------------------------------------

DIFF = b"""diff --git a/src/pay.ts b/src/pay.ts
index 1..2 100644
--- a/src/pay.ts
+++ b/src/pay.ts
@@ -10,4 +10,5 @@ function pay() {
 a
-b
+c
+d
 e
@@ -40,3 +41,2 @@
 x
-y
 z
diff --git a/tests/test_pay.py b/tests/test_pay.py
index 1..2 100644
--- a/tests/test_pay.py
+++ b/tests/test_pay.py
@@ -1 +1 @@
-a
+b
diff --git a/old.py b/lib/new.py
similarity index 90%
rename from old.py
rename to lib/new.py
index 1..2 100644
--- a/old.py
+++ b/lib/new.py
@@ -1 +1 @@
-a
+b
"""


def test_touched_code() -> None:
    code = touched_code([DIFF[:100], DIFF[100:]])
    assert code.paths == ("src/pay.ts", "lib/new.py", "old.py") and not code.cut
    first, second, _third = code.hunks
    assert (first.place, first.end_line, first.quote) == ("src/pay.ts:11", 12, " a\n-b\n+c\n+d\n e")
    assert second.line == 42
    assert code.hunk_for("src/pay.ts") is first and code.hunk_for("src/pay.ts", 44) is second
    assert code.hunk_for("old.py") == code.hunks[2] and code.hunk_for("no.py") is None


def test_a_huge_change_is_kept_small() -> None:
    file = "diff --git a/{0} b/{0}\nindex 1..2 100644\n--- a/{0}\n+++ b/{0}\n"
    body = "".join(f"@@ -{n},1 +{n},40 @@\n-a\n" + f"+{'x' * 300}\n" * 40 for n in range(1, 9000, 100))
    code = touched_code([(file.format(f"src/f{n}.go") + body).encode() for n in range(60)])
    assert code.cut and len(code.files) == 40 and len(code.hunks) == 60
    assert sum(len(hunk.quote) for hunk in code.hunks) <= 12_000


@pytest.mark.parametrize(
    ("source", "path"),
    [
        ("/app/src/pay.ts", "src/pay.ts"),
        ("webpack://shop/./src/pay.ts?a1b2", "src/pay.ts"),
        ("https://x.example/static/src/pay.ts#L4", "src/pay.ts"),
        ("src/pay.ts", "apps/web/src/pay.ts"),
        ("C:\\build\\src\\pay.ts", "src/pay.ts"),
        ("/srv/calc.py", "calc.py"),
    ],
)
def test_stacks_that_pass(source: str, path: str) -> None:
    assert passed_path([source], [path]) == path


@pytest.mark.parametrize(
    ("source", "path"),
    [
        ("pay.ts", "src/pay.ts"),
        ("/app/src/repay.ts", "src/pay.ts"),
        ("node_modules/lib/src/pay.ts", "src/pay.ts"),
        ("/app/other/pay.ts", "src/pay.ts"),
        ("", "src/pay.ts"),
        ("src/pay.tsx", "src/pay.ts"),
    ],
)
def test_false_friends(source: str, path: str) -> None:
    assert passed_path([source], [path]) == ""


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_source_is_read(source: str, path: str) -> None:
    assert passed_path([source], [path]) in ("", path)


def test_product_code() -> None:
    assert is_product_code("src/app.tsx") and is_product_code("app/contest.py") and is_product_code("a/latest.go")
    for path in ("src/a.test.ts", "tests/a.py", "pkg/a_test.go", "spec/a_spec.rb", "README.md", "pnpm-lock.yaml"):
        assert not is_product_code(path)
