"""Reading configurations, and building the house of one without doing anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxy.cli.reading import offline_house, read
from proxy.cli.terminal import Stop
from proxy.config import load_text


def test_a_usable_file_is_read_without_a_word(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.yaml").write_text("routes:\n  - {host: a.example, respond: ${STATUS}}\n".replace("${STATUS}", "204"))
    assert read(str(tmp_path / "x.yaml"), {}).config is not None
    assert capsys.readouterr() == ("", "")


def test_everything_that_is_wrong_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("lisen: 1\nroutes:\n  - {pth: /a, respond: 204}\n")
    with pytest.raises(Stop) as caught:
        read(str(tmp_path / "x.yaml"), {})
    assert "`lisen`" in caught.value.text and "`pth`" in caught.value.text
    assert caught.value.text.endswith("x.yaml: 2 errors") and caught.value.code == 1


def test_the_house_opens_no_log_and_no_port(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    text = f"listen: 'systemd:INET:name=web'\naccess_log: {log}\ndemo: 1\nroutes: [{{upstream: 'demo:1'}}]\n"
    house = offline_house(load_text(text, "x.yaml", {}))
    assert house.listeners == () and house.access_log is None and not log.exists()
    assert list(house.pools) == ["demo:1"]


def test_an_application_that_is_not_there_is_told_with_its_place() -> None:
    text = "routes:\n  - {path: /a, app: 'resource:no_such_module:Thing'}\n"
    with pytest.raises(Stop) as caught:
        offline_house(load_text(text, "x.yaml", {}))
    assert caught.value.text.startswith("x.yaml:2:21: error: `resource:no_such_module:Thing` cannot be imported")
