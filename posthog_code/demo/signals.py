"""What the demo's product tells, as data: flags, experiments, events, errors.

Project Harbor (20101) has all of it; Harbor Mobile (20102) is empty. Reports with their recordings are prose, in
resources/demo/inbox.toml; demo/inbox.py reads them.

Report ids are `REPORT % n` ("01990000-0000-7000-8000-0000000000NN" with the two letters below):

    b1 Sign-in loops on Safari 18 (P0)                 b8 Event quote_requested stopped arriving (P3)
    b2 Customers are charged twice after a timeout (P1) b9 Unhandled rejection in the image uploader (P3)
    b3 Checkout page is slow on the second visit (P1)  ba Survey asks for dark mode in the mobile receipt (P4)
    b4 People press Save again and again (P2)          bb Webhooks give up after an outage (P2; demo task merged)
    b5 Search finds nothing with an apostrophe (P2)    bc Cart badge shows NaN (still researched)
    b6 Order history freezes with 2,000 orders (P2)    a1 Quotes time out for large carts (P2, a cloud task works on it)
    b7 Flag old-cart has served one variant (P3)       c1, c2 snoozed; d1, d2 dismissed; d3 resolved

Flags: checkout-retry-v2 and old-cart (on for everybody, 94 days old), pay-sheet-mobile (half of mobile),
express-checkout (an experiment that runs: control, one-page), new-search (experiment complete), exact-quotes (20 %),
summer-banner (off), shipping-rates (remote configuration). Not there: anything else.
Events: see `EVENTS` (how often: demo/traffic.py); payment_retried is new code, and arrives once the fix of the
double charge is on main; quote_requested stopped six days ago. Errors: `ERRORS`, by fingerprint. Places are texts in
the sample repositories, so that lines stay true; a merge that touches the file of an error makes the error rare.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

REPORT = "01990000-0000-7000-8000-0000000000%s"
DOUBLE_CHARGE = REPORT % "b2"
"""Of the demo task "Stop double charges on checkout retry"."""
WEBHOOKS = REPORT % "bb"
"""Of the demo task "Retry webhooks with jitter", which is merged."""
ORDER_HISTORY = REPORT % "b6"
"""Of the demo task "Virtualise the order history table"."""
SNOOZED = {REPORT % "c1": 14, REPORT % "c2": 8}
"""Signals at which each comes back."""
MERGED_HOURS = 8.0
"""How long ago the merged demo task was released."""
WEB, API = "harbor-web", "harbor-api"


@dataclass(frozen=True, slots=True)
class Place:
    """A line of a sample repository, found by what stands in it."""

    repository: str
    path: str
    text: str
    function: str = ""


@dataclass(frozen=True, slots=True)
class Stream:
    """Events of one kind that arrive all the time."""

    id: str
    event: str
    per_day: float
    """Now; `rises_from` times as many at `since` days ago."""
    people: tuple[int, int]
    """First person, and how many."""
    variants: tuple[Mapping[str, Any], ...] = ({},)
    """Properties, taken in turn."""
    since: float = 30.0
    until: float = 0.0
    """Days ago at which it stopped."""
    rises_from: float = 1.0
    fixed_by: tuple[str, str] | None = None
    """Repository and path: a merge that touches it leaves `REMAINS` of the events."""
    begins_with: tuple[str, str] | None = None
    """The same: nothing before such a merge."""
    path: str = "/"
    """Of the page that sends them."""
    lag: float = 0.0
    """Seconds after the first step of what a person does."""


@dataclass(frozen=True, slots=True)
class DemoError:
    fingerprint: str
    name: str
    value: str
    place: Place
    issue: str
    per_day: float
    people: tuple[int, int]
    since: float = 30.0
    rises_from: float = 1.0
    called_from: Place | None = None
    browser: str = "Chrome"
    url: str = "/"
    flags: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DemoFlag:
    id: int
    key: str
    name: str
    days: float
    rollout: float | None = 100.0
    condition: Mapping[str, Any] | None = None
    variants: tuple[tuple[str, float], ...] = ()
    payload: str = ""
    active: bool = True


@dataclass(frozen=True, slots=True)
class DemoExperiment:
    id: int
    name: str
    flag: str
    began: float
    ended: float | None = None
    conclusion: str = ""


_MOBILE = {"type": "person", "key": "$device_type", "value": ["Mobile"], "operator": "exact"}
FLAGS: tuple[DemoFlag, ...] = (
    DemoFlag(4101, "checkout-retry-v2", "Retry the charge up to three times", 94),
    DemoFlag(4102, "old-cart", "The narrow cart drawer", 94),
    DemoFlag(4103, "pay-sheet-mobile", "Pay in a sheet on phones", 21, 50, _MOBILE),
    DemoFlag(4104, "express-checkout", "One page or steps", 16, variants=(("control", 50), ("one-page", 50))),
    DemoFlag(4105, "new-search", "Search by words", 61, variants=(("control", 50), ("words", 50))),
    DemoFlag(4106, "exact-quotes", "Quotes to the cent", 9, 20),
    DemoFlag(4107, "summer-banner", "Banner of the summer sale", 150, active=False),
    DemoFlag(4108, "shipping-rates", "Rates by country", 40, payload='{"DE": 490, "NL": 590}'),
)
EXPERIMENTS: tuple[DemoExperiment, ...] = (
    DemoExperiment(311, "Checkout on one page", "express-checkout", 15),
    DemoExperiment(307, "Search by words", "new-search", 58, 12, "won"),
)
EVENTS: Mapping[str, str] = {
    "$pageview": "A page was opened",
    "$rageclick": "Three clicks on one place within a second",
    "$exception": "An error was reported",
    "$feature_flag_called": "A flag was read",
    "$web_vitals": "How fast a page was",
    "signed_in": "A customer has a session",
    "checkout_started": "The checkout is open",
    "payment_submitted": "The gateway has answered",
    "checkout_timed_out": "The gateway took longer than ten seconds",
    "order_completed": "A charge has settled",
    "cart_pay_pressed": "Pay was pressed in the drawer",
    "address_saved": "A delivery address was stored",
    "search_performed": "Somebody searched, with how many results",
    "quote_requested": "A quote was asked for",
    "quote_created": "A quote was stored",
    "photo_uploaded": "A photo was sent to support",
    "receipt_opened": "A receipt was looked at",
    "webhook_delivered": "A partner has taken our webhook",
    "invoice_created": "An invoice was written",
}
"""Defined events with their descriptions."""
UNVERIFIED = frozenset({"receipt_opened", "photo_uploaded", "webhook_delivered"})

SUBMIT = Place(WEB, "src/payments/submitPayment.ts", "const key =", "submitPayment")
ROUTE = Place(WEB, "src/api/checkout/route.ts", "await retry(", "webhook")
ERRORS: tuple[DemoError, ...] = (
    DemoError(
        "fp-gateway-timeout",
        "GatewayTimeout",
        "no answer after 10000 ms",
        SUBMIT,
        "0199aaaa-0000-7000-8000-000000000001",
        41,
        (0, 104),
        since=8,
        rises_from=0.1,
        called_from=Place(WEB, "src/api/checkout/route.ts", "await submitPayment(cart", "POST"),
        browser="Mobile Safari",
        url="/checkout",
        flags={"$feature/checkout-retry-v2": True},
    ),
    DemoError(
        "fp-duplicate-charge",
        "DuplicateCharge",
        "gateway reports a second charge for one cart",
        ROUTE,
        "0199aaaa-0000-7000-8000-000000000002",
        8.6,
        (0, 56),
        since=8,
        rises_from=0.2,
        url="/checkout",
        flags={"$feature/checkout-retry-v2": True},
    ),
    DemoError(
        "fp-pay-button",
        "UnhandledRejection",
        "Unhandled rejection in PayButton",
        Place(WEB, "src/checkout/PayButton.tsx", "onPay();", "pressed"),
        "0199aaaa-0000-7000-8000-000000000003",
        0.9,
        (110, 9),
        url="/checkout",
    ),
    DemoError(
        "fp-sign-in-loop",
        "SignInLoop",
        "no session after 3 rounds",
        Place(WEB, "src/auth/signIn.ts", "new SignInLoop", "signIn"),
        "0199aaaa-0000-7000-8000-000000000004",
        680,
        (100, 760),
        since=5,
        rises_from=0.05,
        browser="Safari",
        url="/sign-in",
    ),
    DemoError(
        "fp-search-syntax",
        "OperationalError",
        'near "s": syntax error',
        Place(API, "app/search/service.py", "SELECT * FROM articles", "find"),
        "0199aaaa-0000-7000-8000-000000000005",
        8,
        (760, 31),
        since=25,
        url="/search",
    ),
    DemoError(
        "fp-uploader",
        "UnhandledRejection",
        "OffscreenCanvas is not defined",
        Place(WEB, "src/media/uploader.ts", "new OffscreenCanvas", "shrink"),
        "0199aaaa-0000-7000-8000-000000000006",
        22,
        (800, 12),
        since=28,
        browser="Safari",
        url="/support/photo",
    ),
    DemoError(
        "fp-webhook-gave-up",
        "DeliveryFailed",
        "gave up after 31 s",
        Place(API, "app/webhooks.py", "posthog.capture_exception", "deliver"),
        "0199aaaa-0000-7000-8000-000000000007",
        300,
        (820, 26),
        since=9,
        rises_from=0.5,
        url="/webhooks",
    ),
    DemoError(
        "fp-quote-timeout",
        "TimeoutError",
        "quotes of a customer took longer than 5 s",
        Place(API, "app/quotes/service.py", "SELECT * FROM quotes ORDER BY", "lines_of"),
        "0199aaaa-0000-7000-8000-000000000008",
        5,
        (850, 19),
        since=18,
        rises_from=0.6,
        url="/quotes",
    ),
    DemoError(
        "fp-cart-badge",
        "TypeError",
        "Cannot read properties of undefined (reading 'quantity')",
        Place(WEB, "src/cart/cartStore.ts", "const known =", "addLine"),
        "0199aaaa-0000-7000-8000-000000000009",
        4,
        (870, 15),
        since=3,
        url="/cart",
    ),
    DemoError(
        "fp-gateway-502",
        "GatewayError",
        "charge failed: 502",
        Place(WEB, "src/gateway.ts", "throw new GatewayError", "charge"),
        "0199aaaa-0000-7000-8000-00000000000a",
        2,
        (900, 40),
        url="/checkout",
    ),
)
REMAINS = 0.03
"""Part of the events of an error that is left after its fix."""
