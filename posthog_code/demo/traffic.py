"""What the demo's customers do all the time, as data: how often, how many of them, on which page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from posthog_code.demo.signals import SUBMIT, WEB, Stream

_SUBMIT_FILE = (WEB, SUBMIT.path)
_PAGES = ("/", "/cart", "/checkout", "/search", "/orders", "/sign-in", "/address", "/article/anchor", "/article/sail")


def _read(flag: str, *answers: Any) -> tuple[Mapping[str, Any], ...]:
    return tuple({"$feature_flag": flag, "$feature_flag_response": answer} for answer in answers)


def _vitals(path: str, name: str, *values: float) -> tuple[Mapping[str, Any], ...]:
    return tuple({"$pathname": path, f"$web_vitals_{name}_value": value} for value in values)


STREAMS: tuple[Stream, ...] = (
    Stream("views", "$pageview", 170, (0, 1900), tuple({"$pathname": path} for path in _PAGES)),
    Stream("signed-in", "signed_in", 45, (0, 1200), ({"round": 1}, {"round": 1}, {"round": 2}), path="/sign-in"),
    Stream("started", "checkout_started", 100, (0, 900), ({"lines": 1}, {"lines": 3}, {"lines": 2}), path="/checkout"),
    Stream(
        "submitted",
        "payment_submitted",
        88,
        (0, 900),
        tuple({"cents": n} for n in (4900, 12900, 900, 33000)),
        path="/checkout",
        lag=90,
    ),
    Stream(
        "timed-out",
        "checkout_timed_out",
        43,
        (0, 85),
        since=14,
        rises_from=0.3,
        fixed_by=_SUBMIT_FILE,
        path="/checkout",
        lag=95,
    ),
    Stream(
        "retried",
        "payment_retried",
        12,
        (0, 90),
        ({"attempt": 1, "pause": 200},),
        begins_with=_SUBMIT_FILE,
        path="/checkout",
        lag=92,
    ),
    Stream(
        "completed",
        "order_completed",
        80,
        (0, 900),
        tuple({"cents": n} for n in (4900, 12900, 900, 33000)),
        path="/checkout",
        lag=150,
    ),
    Stream(
        "completed-more",
        "order_completed",
        6,
        (0, 90),
        ({"cents": 4900},),
        begins_with=_SUBMIT_FILE,
        path="/checkout",
        lag=160,
    ),
    Stream("pay-pressed", "cart_pay_pressed", 60, (0, 900), ({"lines": 2}, {"lines": 1}), path="/cart"),
    Stream("addresses", "address_saved", 16, (0, 400), ({"country": "DE"}, {"country": "SE"}), path="/address"),
    Stream(
        "searches",
        "search_performed",
        70,
        (300, 700),
        ({"results": 12}, {"results": 3}, {"results": 0}),
        path="/search",
    ),
    Stream("quotes-asked", "quote_requested", 18, (200, 90), until=6, path="/cart"),
    Stream("quotes", "quote_created", 14, (200, 90), ({"cents": 210000}, {"cents": 89000}), path="/quotes", lag=30),
    Stream("photos", "photo_uploaded", 9, (780, 60), ({"bytes": 900000},), path="/support/photo"),
    Stream("receipts", "receipt_opened", 25, (0, 500), path="/orders"),
    Stream("delivered", "webhook_delivered", 60, (820, 30), path="/webhooks"),
    Stream("invoices", "invoice_created", 40, (820, 1), path="/billing"),
    Stream(
        "flag-retry", "$feature_flag_called", 60, (0, 900), _read("checkout-retry-v2", True), path="/checkout", lag=80
    ),
    Stream(
        "flag-sheet",
        "$feature_flag_called",
        40,
        (0, 900),
        _read("pay-sheet-mobile", True, False),
        path="/checkout",
        lag=100,
    ),
    Stream("flag-cart", "$feature_flag_called", 30, (0, 1200), _read("old-cart", True), path="/cart"),
    Stream(
        "flag-express",
        "$feature_flag_called",
        30,
        (0, 900),
        _read("express-checkout", "control", "one-page"),
        path="/checkout",
        lag=2,
    ),
    Stream(
        "flag-quotes",
        "$feature_flag_called",
        8,
        (200, 90),
        _read("exact-quotes", False, True, False),
        since=9,
        path="/quotes",
        lag=20,
    ),
    Stream("slow", "$web_vitals", 90, (0, 700), _vitals("/checkout", "LCP", 4800, 5200, 4300), since=9, rises_from=0.3),
    Stream("fast", "$web_vitals", 60, (0, 1500), _vitals("/", "LCP", 900, 1300, 1100)),
    Stream("frozen", "$web_vitals", 20, (400, 118), _vitals("/orders", "INP", 6200, 5900), rises_from=0.7),
    Stream("rage-save", "$rageclick", 4.4, (640, 29), ({"$pathname": "/address", "$el_text": "Save"},), since=8),
    Stream(
        "rage-pay",
        "$rageclick",
        7,
        (0, 80),
        ({"$pathname": "/checkout", "$el_text": "Pay"},),
        since=12,
        rises_from=0.3,
        fixed_by=_SUBMIT_FILE,
    ),
    Stream("rage-else", "$rageclick", 5, (0, 1500), ({"$pathname": "/orders"}, {"$pathname": "/search"})),
)
