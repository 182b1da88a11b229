"""Which server gets a request, as written."""

import pytest
from pydantic import TypeAdapter, ValidationError

from proxy.balance.catalog import HASH, NAMES
from proxy.balance.key import parse_rule
from proxy.config.balancing import ALGORITHMS, Balance, Key, Panic, Sticky

KEY: TypeAdapter[str] = TypeAdapter(Key)
PANIC: TypeAdapter[float | None] = TypeAdapter(Panic)


def test_every_algorithm_has_its_name_here() -> None:
    assert {*ALGORITHMS, HASH} == set(NAMES)


@pytest.mark.parametrize("name", ALGORITHMS)
def test_an_algorithm_is_its_name(name: str) -> None:
    balance = Balance.model_validate(name)
    assert balance.algorithm == str(balance) == name


def test_a_hash_has_a_key() -> None:
    balance = Balance.model_validate({"hash": "header:X-User", "load_factor": "1.25"})
    assert (balance.hash, balance.load_factor) == ("header:X-User", 1.25)
    assert str(balance) == "hash of header:X-User"


@pytest.mark.parametrize(
    "faulty",
    [
        "hash",
        "roundrobin",
        7,
        {"hash": "client", "algorithm": "random"},
        {"hash": "host"},
        {"hash": "client", "load_factor": "0.9"},
        {"algorithm": "random", "load_factor": 2},
        {"load_factor": 2},
    ],
)
def test_what_is_no_balance(faulty: object) -> None:
    with pytest.raises(ValidationError):
        Balance.model_validate(faulty)


@pytest.mark.parametrize("text", ["client", "path", "header:X-User", "cookie:session", "query:id", "query:a[b]"])
def test_keys_are_those_of_the_balancers(text: str) -> None:
    assert KEY.validate_python(text) == text
    parse_rule(text)


@pytest.mark.parametrize("text", ["", "magic", "client:x", "path:", "header", "header:", "cookie:a b", "query:", 3])
def test_what_is_no_key(text: object) -> None:
    with pytest.raises(ValidationError):
        KEY.validate_python(text)


@pytest.mark.parametrize(("written", "meant"), [(False, None), (True, 0.0), ("50%", 0.5), ("0.3", 0.3)])
def test_panic(written: object, meant: float | None) -> None:
    assert PANIC.validate_python(written) == meant


def test_a_sticky_cookie_in_short_and_in_long() -> None:
    assert Sticky.model_validate("srv").cookie == "srv"
    long = {"cookie": "srv", "key": "k" * 32, "secure": True, "same_site": "none", "max_age": "1h", "path": "/a"}
    assert Sticky.model_validate(long).max_age == 3600.0


def test_cookies_that_servers_set() -> None:
    learned = Sticky.model_validate({"learn": "sid", "size": 10, "idle": "5m"})
    assert (learned.name, learned.size, learned.idle) == ("sid", 10, 300.0)
    assert Sticky.model_validate({"route": "JSESSIONID"}).name == "JSESSIONID"


@pytest.mark.parametrize(
    "faulty",
    [
        {"key": "k" * 32},
        {"cookie": "a b"},
        {"cookie": "a", "key": "short"},
        {"cookie": "a", "same_site": "none"},
        {"cookie": "a", "path": "x"},
        {"cookie": "a", "path": "/;a"},
        {"cookie": "a", "secure": "yes"},
        {"cookie": "a", "learn": "b"},
        {"cookie": "a", "size": 5},
        {"learn": "a", "key": "k" * 32},
        {"route": "a", "idle": "1h"},
        {"learn": "a", "size": 0},
    ],
)
def test_what_is_no_cookie(faulty: object) -> None:
    with pytest.raises(ValidationError):
        Sticky.model_validate(faulty)
