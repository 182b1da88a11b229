"""Names for requests."""

from __future__ import annotations

import re
from random import Random

from proxy.policy.request_id import RequestIds


def test_ids_are_unique_and_short() -> None:
    make = RequestIds(Random(1))
    ids = [make() for _ in range(1000)]
    assert len(set(ids)) == 1000
    assert all(re.fullmatch(rb"[0-9a-f]{16}-[0-9]+", each) for each in ids)


def test_processes_do_not_share_names() -> None:
    assert RequestIds(Random(1))() != RequestIds(Random(2))()
