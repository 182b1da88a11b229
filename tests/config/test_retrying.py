"""Retries and queues, as written."""

import pytest
from pydantic import ValidationError

from proxy import limits
from proxy.config.retrying import Queue, Retries


def test_a_number_is_enough() -> None:
    assert Retries.model_validate(2).count == 2
    assert Queue.model_validate(0) == Queue(size=0, wait=limits.QUEUE_SECONDS)


def test_all_of_it() -> None:
    retries = Retries.model_validate(
        {"count": 2, "statuses": [502, 503], "budget": "10%", "per_try": "2s", "total": "5s", "hedge_after": "300ms"}
    )
    assert retries.statuses == {502, 503}
    assert (retries.budget, retries.per_try, retries.total, retries.hedge_after) == (0.1, 2.0, 5.0, 0.3)
    assert Retries.model_validate({"statuses": 503}).statuses == {503}


@pytest.mark.parametrize(
    "faulty",
    [
        -1,
        11,
        {"statuses": [200]},
        {"statuses": ["502"]},
        {"statuses": [True]},
        {"count": 0, "statuses": [503]},
        {"count": 0, "hedge_after": "1s"},
        {"per_try": "5s", "total": "5s"},
        {"per_try": "1s", "hedge_after": "1s"},
        {"total": "1s", "hedge_after": "2s"},
        {"budget": 2},
    ],
)
def test_what_are_no_retries(faulty: object) -> None:
    with pytest.raises(ValidationError):
        Retries.model_validate(faulty)


@pytest.mark.parametrize("faulty", [-1, "many", {"wait": 0}])
def test_what_is_no_queue(faulty: object) -> None:
    with pytest.raises(ValidationError):
        Queue.model_validate(faulty)
