"""Every number we refuse to exceed, with its unit in the name and its reason above it."""

from __future__ import annotations

# A client that sends more than this ahead of its turn is not read until its turn comes.
WINDOW_BYTES = 64 * 1024
# Connections at rest that one server is asked to hold for us.
MAX_IDLE_CONNECTIONS = 16
# Shorter than the keep-alive timeout of common servers, so that we hang up first.
IDLE_SECONDS = 4.0
# How long a stop waits for the exchanges under way.
DRAIN_SECONDS = 10.0
