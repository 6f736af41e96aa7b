"""The review queue: cases that wait for a person, what was said of them, and what is known of the load.

A case is told by service and request id: put twice it is there once. What is said of it is appended; a
reviewer who was wrong takes it back, and the case waits again.
"""

from headgate.adapters.store.review_looks import arrivals, backlog, find, get, history, services, waiting
from headgate.adapters.store.review_puts import Drawn, StoreQueue, put, put_window, windows
from headgate.adapters.store.review_says import HELD_FOR, confirm, decide, next, override, skip  # noqa: A004 - read as reviews.next

__all__ = [
    "HELD_FOR",
    "Drawn",
    "StoreQueue",
    "arrivals",
    "backlog",
    "confirm",
    "decide",
    "find",
    "get",
    "history",
    "next",
    "override",
    "put",
    "put_window",
    "services",
    "skip",
    "waiting",
    "windows",
]
