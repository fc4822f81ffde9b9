"""Sends webhooks, again if need be."""

from collections.abc import Callable

from app.analytics import posthog

PAUSES = (1, 5, 25)


class DeliveryFailed(Exception):
    """No attempt was answered below 500."""


def deliver(send: Callable[[], int], sleep: Callable[[float], None]) -> bool:
    """Call `send` until it answers below 500; pauses in between. False when all attempts failed."""
    for pause in (*PAUSES, None):
        if send() < 500:
            posthog.capture("webhook_delivered", distinct_id="webhooks")
            return True
        if pause is not None:
            sleep(pause)
    posthog.capture_exception(DeliveryFailed(f"gave up after {sum(PAUSES)} s"), distinct_id="webhooks")
    return False
