"""What must not be shown, as a value and in sentences."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxy.config import Position, load_text
from proxy.config.veil import Secrets, Veil, masked
from proxy.explain.accept import examine


def test_a_mask_tells_secrets_apart_and_nothing_else() -> None:
    assert masked("a") == masked(b"a") != masked("b")
    veil = Veil(["s3cret", ""])
    assert veil.over("open") == "open"
    assert veil.over("with s3cret in it") == masked("with s3cret in it")
    assert veil.over("open", True) == masked("open")
    assert veil.over("", True) == "" and veil.over(7, True) == 7


def test_a_short_secret_is_a_whole_value_or_nothing() -> None:
    veil = Veil(["1"])
    assert veil.over("1") == masked("1")
    assert veil.over("tcp:8081") == "tcp:8081"
    assert veil.within("item 1 of 10 is not `1`") == f"item 1 of 10 is not `{masked('1')}`"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://user:pw@x/?a=b", f"https://{masked('user:pw')}@x/?a=b"),
        ("/login?a=b&api_token=c&d=e#f", f"/login?a=b&api_token={masked('c')}&d=e#f"),
        ("https://x/@y?q=z", "https://x/@y?q=z"),
    ],
)
def test_of_a_url_what_opens_doors_is_masked(text: str, shown: str) -> None:
    assert Veil().over(text) == Veil().within(text) == shown
    assert Veil().within(shown) == shown


def test_what_the_reader_said_is_no_secret_to_him() -> None:
    veil = Veil(["topsecret"], "http://x/?token=mine topsecret")
    assert veil.within("topsecret at /?token=mine") == "topsecret at /?token=mine"
    assert veil.within("?token=other") == f"?token={masked('other')}"


def test_every_text_of_a_value_is_looked_at() -> None:
    said = Veil(["topsecret"]).through({"a": ["topsecret", 1], "b": ("x",)})
    assert said == {"a": [masked("topsecret"), 1], "b": ["x"]}


SECRET = "Top-Secret-Value-" + "z" * 60


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("timeouts: {connect: '${file:sec}'}\nroutes: [{respond: 204}]\n", "topsecretvalue"),
        ("timeouts: {connect: '${file:sec}'}\nroutes: [{respond: 204}]\n", SECRET),
        ("listen: '${file:sec}'\nroutes: [{respond: 204}]\n", "4711471147"),
        ("routes: [{host: '${file:sec}', respond: 204}]\n", "Top Secret Value"),
        ("routes: [{upstream: '${file:sec}'}]\n", "topsecretvalue://abc"),
        ("routes: [{upstream: '${file:sec}'}]\n", "topsecretvalue"),
        ("routes: [{respond: '${file:sec}'}]\n", "0123456789"),
        ("routes: [{app: '${file:sec}'}]\n", "topsecret:value"),
        ("routes: [{name: a, redirect: '${file:sec}'}]\ntests: [{request: GET http://x/, headers: {Location: /}}]\n",
         "/topsecretvalue"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("reference", ["${file:sec}", "${API_TOKEN}", "${API_TOKEN:-other}"])
def test_no_message_about_a_secret_shows_it(tmp_path: Path, text: str, secret: str, reference: str) -> None:
    (tmp_path / "sec").write_text(secret)
    path = tmp_path / "x.yaml"
    path.write_text(text.replace("${file:sec}", reference))
    found = examine(path, {"API_TOKEN": secret}).problems
    assert any(problem.severity == "error" for problem in found)
    said = "\n".join(problem.render() for problem in found).lower()
    assert not any(secret.lower()[at : at + 8] in said for at in range(len(secret) - 7))


@pytest.mark.parametrize(
    ("secret", "message"),
    [
        ("soon-or-later", "`${API_TOKEN}` is not a duration"),
        ("soon-or-later" * 9, "what `${API_TOKEN}` stands for cannot be used here; it is not shown"),
    ],
)
def test_a_message_that_may_not_say_the_value_says_where_it_is_from(secret: str, message: str) -> None:
    text = "timeouts: {connect: '${API_TOKEN}'}\nroutes: [{respond: 204}]\n"
    [problem] = load_text(text, "x.yaml", {"API_TOKEN": secret}).problems
    assert problem.message == message


def test_of_a_text_with_a_secret_inside_the_rest_is_said(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("access_log: '/nowhere/${A_TOKEN}/log'\nroutes: [{respond: 204}]\n")
    [problem] = examine(path, {"A_TOKEN": "topsecret"}, ahead=True).problems
    assert problem.message == "the access log /nowhere/${A_TOKEN}/log cannot be opened: No such file or directory"


@pytest.mark.parametrize(
    ("name", "environ"), [("PORT", {"PORT": "80a"}), ("MY_TOKEN:-80a", {}), ("MY_TOKEN:-80a", {"MY_TOKEN": ""})]
)
def test_what_everybody_may_know_is_shown(name: str, environ: dict[str, str]) -> None:
    loaded = load_text(f"limits: {{head: '${{{name}}}'}}\nroutes: [{{respond: 204}}]\n", "x.yaml", environ)
    assert "`80a`" in loaded.problems[0].message
    assert loaded.secrets == frozenset()


def test_a_secret_is_found_in_other_letters_too() -> None:
    assert "topsecret" not in Veil(["TopSecret"]).within("the host topsecret.example is unknown")


def test_a_place_knows_its_own_secret_and_all_others() -> None:
    secrets = Secrets()
    here, there = Position("x", 1, 1), Position("x", 2, 1)
    secrets.hide(here, "topsecret", "${A_TOKEN}")
    assert secrets.left_out(there, "it is not topsecret", "try `topsecret`")[0] == f"it is not {masked('topsecret')}"
    assert secrets.left_out(here, "psecre is no number", "a number") == (
        "what `${A_TOKEN}` stands for cannot be used here; it is not shown", "a number",
    )  # fmt: skip
    secrets.hide(there, "another", "${file:b}")
    assert secrets.left_out(None, "another", "")[0] == masked("another")
    assert secrets.texts == {"topsecret", "another"}


def test_a_hint_that_gives_nothing_away_stays() -> None:
    found = load_text("timeouts: {connect: '${A}'}\nroutes: [{respond: 204}]\n", "x.yaml", {"A": "b"}).problems
    assert found[0].hint == "write for example 10s, 500ms, 1m30s or 1h"
