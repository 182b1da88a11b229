"""When the configuration is read anew without being asked, as written."""

from __future__ import annotations

from proxy.config.values import PositiveDuration, StrictBool, Wish


class Reload(Wish):
    """What makes the proxy read its files anew, besides SIGHUP and `reverseproxy reload`.

    @ivar watch: a change of the files does; off unless asked for, as half of an edit may be valid too.
    @ivar debounce: after how long without another change.
    """

    watch: StrictBool = False
    debounce: PositiveDuration = 1.0
