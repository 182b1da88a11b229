"""Which regular expressions are warned of."""

import re

import pytest

from proxy.config.regex import may_explode

# Each of these took longer than a second with some text of 30 to 60 characters.
SLOW = [
    r"^/([a-z]+/?)+$",
    r"^/(\w+\s?)*$",
    "^(a|a)*$",
    "^/(.*a){12}$",
    "^/((a+))+$",
    "^/((a*)b*)*$",
    r"(?x)^/( a + ) +$",
    "^(?i:(A|a+))+$",
    "^(a|b|ab)*$",
    "^(a?b?)*$",
    "^((a?)*b)*$",
    "^(a(b?|c?))*$",
    "(x+x+)+y",
    "^/(.*/)*x$",
    "^(?=(a+)+$)",
    r"^([a-z]{1,40}-?)*$",
    r"^(\d{1,3},?)+$",
    r"^(?P<all>(?P<word>[a-z])+.)+[A-Z]$",
    "^(a+?)+$",
    r"^(?:\D|[a-f]|é)+\d?$",
]
FAST = [
    "",
    "^/a+$",
    "^(ab)+c*$",
    r"^/users/\d+(/[a-z]+)*$",
    r"^(www\.)?example\.com$",
    "^/([^/]+/)*$",
    "^/(.*)/(.*)$",
    r"^/.*\.(js|css|png)$",
    "^/v[0-9]+/(users|items)/[^/]+$",
    "^/(?:en|de|fr)(?:/|$)",
    r"^([a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+com$",
    r"^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+com$",
    r"^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}\d+$",
    "^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$",
    "^([0-9a-f]{64},?)+$",
    "^/(?:%[0-9A-F]{2}|[a-z])+$",
    r'^"(?:[^"\\]|\\.)*"$',
    r"^(\w+\b\W*)*$",
    r"^/(\d{4}/){3}$",
    "^(a|b|[a-f])*$",
    "^((a*)b)*$",
    "^(a++)+$",
    "^(a+)++$",
    "^(?>a+)*$",
    "^(a+){2}$",
    "^(a+)?$",
    r"^/(?!api/)([a-z-]+/?)$",
    r"^(\(a+\))*$",
    "^[(a+)+]$",
    r"^(\d{1,3}\.?){4}$",
]


@pytest.mark.parametrize("pattern", SLOW)
def test_a_loop_that_takes_the_same_text_in_two_ways(pattern: str) -> None:
    assert may_explode(re.compile(pattern.encode()))


@pytest.mark.parametrize("pattern", FAST)
def test_a_loop_that_has_one_way(pattern: str) -> None:
    assert not may_explode(re.compile(pattern.encode()))


def test_an_expression_too_large_to_look_into_costs_no_time() -> None:
    assert not may_explode(re.compile(b"(" + b"a?" * 700 + b")*"))
    assert may_explode(re.compile(b"(" + b"ab{5}c?" * 50 + b"|x+)*"))
