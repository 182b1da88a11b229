"""Whether a failed attempt is tried once more.

Three things must come together: the failure says that repeating is safe, the request can be repeated, and the
upstream can bear it. Nothing of the response may have been passed on; the caller knows that, and does not ask then.
"""

from __future__ import annotations

from typing import NamedTuple

from proxy import limits
from proxy.errors import ProxyError, Retry
from proxy.message.head import RequestHead

#: RFC 9110 section 9.2.2. TRACE is idempotent too, but not served.
IDEMPOTENT = frozenset({b"GET", b"HEAD", b"OPTIONS", b"PUT", b"DELETE"})


class RetryPolicy(NamedTuple):
    """How often, and for what, an upstream's requests are repeated.

    @ivar retries: attempts after the first.
    @ivar statuses: statuses of a response that count as a failure of the attempt.
    @ivar any_method: repeat every method, though a server may have seen it: the operator says that it is safe.
    @ivar share: retries in flight, as a share of all requests in flight at the upstream.
    @ivar minimum: retries in flight that are always possible.
    @ivar per_try: seconds that one attempt may take until its response begins; 0 for no bound of its own.
    @ivar total: the same for all attempts together.
    @ivar hedge_after: seconds after which a second server is asked as well; 0 for never.
    """

    retries: int = limits.RETRIES
    statuses: frozenset[int] = frozenset()
    any_method: bool = False
    share: float = limits.RETRY_SHARE
    minimum: int = limits.RETRY_MINIMUM
    per_try: float = 0.0
    total: float = 0.0
    hedge_after: float = 0.0


DEFAULT = RetryPolicy()


def may_retry(
    error: ProxyError,
    head: RequestHead,
    attempts: int,
    body_replayable: bool,
    within_budget: bool,
    policy: RetryPolicy = DEFAULT,
) -> bool:
    """Whether the request may go to a server once more, after nothing of a response was passed on.

    @param attempts: how many were made, the failed one included.
    @param body_replayable: the whole body can be sent once more: it is empty, kept, or not yet begun.
    @param within_budget: what `budget_admits` said.
    """
    if not _one_more(attempts, body_replayable, within_budget, policy):
        return False
    if error.retry is Retry.UNSENT:
        return True
    return error.retry is Retry.SENT and is_repeatable(head.method, policy)


def may_retry_status(
    status: int,
    head: RequestHead,
    attempts: int,
    body_replayable: bool,
    within_budget: bool,
    policy: RetryPolicy = DEFAULT,
) -> bool:
    """The same for a response that came whole, with a status the operator wants to see repeated."""
    return (
        status in policy.statuses
        and _one_more(attempts, body_replayable, within_budget, policy)
        and is_repeatable(head.method, policy)
    )


def _one_more(attempts: int, body_replayable: bool, within_budget: bool, policy: RetryPolicy) -> bool:
    """Whether one more attempt may be made at all, whatever ended the last."""
    return attempts <= policy.retries and body_replayable and within_budget


def is_repeatable(method: bytes, policy: RetryPolicy = DEFAULT) -> bool:
    """Whether doing `method` twice does no more than doing it once; of a method unknown here nobody can say that."""
    return policy.any_method or method in IDEMPOTENT


def budget_admits(active: int, retrying: int, policy: RetryPolicy = DEFAULT) -> bool:
    """Whether one more retry fits: without this, an upstream that fails under load gets twice the load.

    @param active: requests in flight at the upstream, retries included.
    @param retrying: how many of them are retries.
    """
    return retrying < max(policy.minimum, policy.share * active)
