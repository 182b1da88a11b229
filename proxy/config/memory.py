"""Building something large without the garbage collector walking it over and over."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collector_paused() -> Iterator[None]:
    """No garbage collection inside: what is built there lives on, so that looking for garbage in it finds nothing.

    Measured on 10,000 routes: half of the time of loading and most of the time of building the router. On 1,000
    certificates: a tenth.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
