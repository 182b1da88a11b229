"""What the README shows is what happens."""

from __future__ import annotations

import re

from proxy.config import load_text
from proxy.config.report import render, summary
from tests.support.proxy import ROOT

README = (ROOT / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"^( *)```(\w+)\n(.*?)^ *```", README, re.MULTILINE | re.DOTALL)


def blocks(kind: str) -> list[str]:
    return [re.sub(f"^{indent}", "", text, flags=re.MULTILINE) for indent, name, text in BLOCKS if name == kind]


def test_its_configuration_loads_and_is_short() -> None:
    [sample] = blocks("yaml")
    loaded = load_text(sample, "site.yaml", {})
    assert not loaded.problems
    assert len(sample.splitlines()) <= 12


def test_the_errors_that_it_shows_are_those_that_come() -> None:
    [shown] = [text for text in blocks("console") if "did you mean" in text]
    wrong = (
        "listen: [tcp:8080]\nupstreams:\n  app: {servers: [http://127.0.0.1:9001]}\nroutes:\n"
        "  - {path: /api, upsteam: app}\n  - {path: /old, redirect: {to: /new, status: 303}}\n"
    )
    problems = load_text(wrong, "site.yaml", {}).problems
    told = f"$ reverseproxy check site.yaml\n{render(problems)}\nsite.yaml: {summary(problems)}\n"
    assert shown == told


def test_the_make_targets_that_it_names_are_there() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    named = {
        target for line in re.findall(r"(?:^\$ |`)make ([a-z ]+)", README, re.MULTILINE) for target in line.split()
    }
    assert {"run", "test", "check", "bench", "image", "fuzz"} <= named
    assert {target for target in named if not re.search(rf"^{target}:", makefile, re.MULTILINE)} == set()


def test_the_map_is_as_long_as_it_says() -> None:
    [lines] = re.findall(r"\[a map of (\d+) lines\]", README)
    assert len((ROOT / "proxy" / "__init__.py").read_text("utf-8").splitlines()) == int(lines)
