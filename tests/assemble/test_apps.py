"""What is mounted for `app:`, and what cannot be."""

from __future__ import annotations

import pytest
from twisted.web.resource import Resource

from proxy.assemble.apps import AssemblyError, applications
from proxy.config import load_text


class Root(Resource):
    """An application, for `app:`."""


NOT_A_RESOURCE = 5


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("resource:tests.none:Root", "cannot be imported"),
        ("resource:tests.assemble.test_apps:None_", "cannot be imported"),
        ("resource:tests.assemble.test_apps:NOT_A_RESOURCE", "is not an IResource"),
    ],
)
def test_an_application_that_is_not_there_says_where_it_is_named(target: str, words: str) -> None:
    loaded = load_text(f'routes:\n  - {{path: /, app: "{target}"}}\n', "x.yaml", {})
    with pytest.raises(AssemblyError, match=words) as failed:
        applications(loaded.require())
    assert failed.value.place == ("routes", 0, "app")


def test_applications_are_kept_where_they_are_mounted() -> None:
    text = "routes: [{path: %s, app: 'resource:tests.assemble.test_apps:Root'}]\n"
    first = applications(load_text(text % "/a", "x.yaml", {}).require())
    second = applications(load_text(text % "/a", "x.yaml", {}).require(), first)
    third = applications(load_text(text % "/b", "x.yaml", {}).require(), second)
    assert list(first.values()) == list(second.values()) != list(third.values())
