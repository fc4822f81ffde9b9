"""Sends webhooks, again if need be."""

from collections.abc import Callable

PAUSES = (1, 5, 25)


def deliver(send: Callable[[], int], sleep: Callable[[float], None]) -> bool:
    """Call `send` until it answers below 500; pauses in between. False when all attempts failed."""
    for pause in (*PAUSES, None):
        if send() < 500:
            return True
        if pause is not None:
            sleep(pause)
    return False
