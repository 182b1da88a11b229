"""docs/configuration.md says what is so: every key, every default that it names, every warning."""

import re
from pathlib import Path

from pydantic import BaseModel

from proxy.config import (
    acme,
    balancing,
    bounds,
    expectations,
    gates,
    health,
    load_text,
    model,
    resolver,
    retrying,
    routes,
    tls,
    upstreams,
)

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "configuration.md").read_text()
MODELS: tuple[type[BaseModel], ...] = (
    *(model.Listener, tls.ListenerTls, tls.Certificate, tls.ClientCertificates, tls.Hsts, tls.UpstreamTls),
    *(acme.Acme, acme.Eab),
    *(model.Config, model.Forwarded, bounds.Timeouts, bounds.Limits, upstreams.Upstream, upstreams.Server),
    *(balancing.Balance, balancing.Sticky, health.Health, health.EjectionWish, health.BreakerWish),
    *(retrying.Retries, retrying.Queue, resolver.Resolver, routes.Split, routes.Branch),
    *(
        routes.Route,
        routes.Redirect,
        routes.Respond,
        routes.Static,
        gates.Gate,
        gates.FieldChanges,
        expectations.RouteTest,
    ),
)

# Known by their short form.
SHORT = {(gates.Gate, "use"), (routes.Respond, "status"), (balancing.Balance, "algorithm")}


def test_every_key_is_explained() -> None:
    for one in MODELS:
        for key in one.model_fields:
            if (one, key) not in SHORT:
                assert re.search(rf"[`\[{{ .]{key}[`:,\]]", PAGE), f"{one.__name__}.{key}"


def test_every_key_of_an_upstream_is_in_its_table() -> None:
    section = PAGE.split("\n## upstreams\n")[1].split("\n### ")[0]
    first = re.findall(r"^\| ([^|]+) \|", section, re.MULTILINE)
    keys = {key.removeprefix("servers[].") for column in first for key in re.findall(r"`([^`]+)`", column)}
    assert (upstreams.Upstream.model_fields.keys() | upstreams.Server.model_fields.keys()) - keys == {"url"}


def test_every_warning_is_explained() -> None:
    places = ("config/lint.py", "config/lint_upstreams.py", "routing/lint.py")
    sources = [ROOT / "proxy" / place for place in places]
    calls = r'(?:say\(|_warn\(\s*tree|_warning\(\s*loaded, route|problem_at\(\("routes",\)),?\s*"([a-z-]+)"'
    codes = {code for source in sources for code in re.findall(calls, source.read_text())}
    assert len(codes) >= 14
    assert {code for code in codes if f"`{code}`" not in PAGE} == set()


def test_the_configurations_of_the_page_load() -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    whole = [block for block in blocks if block.startswith("listen:")]
    assert whole
    for block in whole:
        assert load_text(block, "page.yaml", {}).problems == ()


def test_the_defaults_of_the_page_are_those_of_the_program() -> None:
    for name, one in (("Timeouts", bounds.Timeouts), ("Limits", bounds.Limits)):
        section = PAGE.split(f"\n## {name}\n")[1].split("\n## ")[0]
        rows = dict(re.findall(r"^\| `(\w+)` \| ([^ |]+)", section, re.MULTILINE))
        written = {key: int(value) if value.isdigit() else value for key, value in rows.items()}
        assert set(written) == set(one.model_fields)
        assert one.model_validate(written) == one()
