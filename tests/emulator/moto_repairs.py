"""What the repairs of moto share: paging, and how they are put in place.

A repair is a function that answers one operation instead of moto's method of the same name, with the same `self` (the
response object of the request, which knows the account and the region).
"""

from __future__ import annotations

import base64
import functools
import threading
from typing import Any, Callable, Sequence

Document = dict[str, Any]
Handler = Callable[[Any], Any]

# The repairs read, decide and write; moto answers every request in a thread. Never held while asking another server.
LOCK = threading.RLock()


def install(
    response_class: type, handlers: Sequence[Handler], *, locked: bool = True, new: bool = False
) -> None:
    """Let each function answer the operation of its name, one that moto has or, with `new`, one that it lacks."""
    for handler in handlers:
        if hasattr(response_class, handler.__name__) == new:
            raise LookupError(f"{response_class.__name__}.{handler.__name__} is not as expected; is this another moto?")
        setattr(response_class, handler.__name__, _one_at_a_time(handler) if locked else handler)


def _one_at_a_time(handler: Handler) -> Handler:
    @functools.wraps(handler)
    def answer(self: Any) -> Any:
        with LOCK:
            return handler(self)

    return answer


def page(items: list[Any], token: str | None, size: int, refusal: Exception) -> tuple[list[Any], str | None]:
    """At most `size` items from where the token says, and the token for the rest. A token is opaque, as on AWS."""
    start = 0
    if token:
        try:
            start = int(base64.b64decode(token, validate=True).decode())
        except ValueError:
            raise refusal from None
    more = start + size < len(items)
    return items[start : start + size], base64.b64encode(str(start + size).encode()).decode() if more else None
