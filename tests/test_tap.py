"""The `twistd reverseproxy` command: options, defaults, and errors that go to the console with exit code 1."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from twisted.application.service import IService
from twisted.internet.testing import MemoryReactorClock
from twisted.python.usage import UsageError

from proxy import tap
from proxy.ports import StartError
from tests.support.authority import Authority
from tests.support.odd import ODD, odd
from tests.support.proxy import ROOT

GOOD = "access_log: false\nroutes: [{path: /, respond: 204}]\n"


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration that is good; and no reactor is taken."""
    reactor = MemoryReactorClock()
    monkeypatch.setattr(tap, "take_reactor", lambda: reactor)
    path = tmp_path / "site.yaml"
    path.write_text(GOOD)
    return path


def options(*words: str) -> tap.Options:
    parsed = tap.Options()
    parsed.parseOptions(list(words))
    return parsed


def test_options() -> None:
    parsed = options("--config", "x.yaml", "--listen", "tcp:1", "-l", "tcp:2")
    assert parsed["config"] == "x.yaml"
    assert parsed["listen"] == ["tcp:1", "tcp:2"]
    assert options()["listen"] == []
    with pytest.raises(UsageError):
        options("--nonsense")


@pytest.mark.parametrize(
    ("before", "reactor"),
    [("", "UvloopReactor"), ("from twisted.internet import selectreactor; selectreactor.install()", "SelectReactor")],
)
def test_it_takes_the_fast_reactor_unless_another_was_asked_for(before: str, reactor: str) -> None:
    program = f"{before}\nfrom proxy import tap\nprint(type(tap.take_reactor()).__name__)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == reactor


def test_without_uvloop_the_stock_reactor_serves() -> None:
    hide = "import sys; sys.modules['uvloop'] = None"
    program = f"{hide}\nfrom proxy import tap\nprint(type(tap.take_reactor()).__name__)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "EPollReactor"


def test_it_waits_for_nothing_that_few_need() -> None:
    program = "import sys, proxy.tap, proxy.service; print('twisted.web.client' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_without_a_file_it_runs_the_one_that_comes_with_it() -> None:
    assert Path(tap.default_config()).read_text().startswith("# The default configuration")


def test_a_good_configuration_makes_a_service(config: Path) -> None:
    service = tap.makeService(options("--config", str(config)))
    assert IService.providedBy(service)
    assert service.name == "reverseproxy"


def test_what_is_wrong_with_the_file_is_told_and_ends_the_program(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config.write_text("routes:\n  - {path: /, upsteam: x}\n")
    with pytest.raises(SystemExit) as ended:
        tap.makeService(options("--config", str(config)))
    assert ended.value.code == 1
    told = capsys.readouterr().err
    assert f"{config}:2:15: error: unknown key `upsteam`" in told
    assert "did you mean `upstream`?" in told
    assert "Traceback" not in told


def test_a_file_that_is_not_there(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        tap.makeService(options("--config", f"{config}.none"))
    assert ended.value.code == 1
    assert "site.yaml.none" in capsys.readouterr().err


def test_a_listener_of_the_command_line_replaces_those_of_the_file(config: Path) -> None:
    service = tap.makeService(options("--config", str(config), "--listen", "tcp:9999:interface=127.0.0.1"))
    service.privilegedStartService()
    assert "9999" in repr(service)
    service.stopService()


def test_a_listener_that_is_none(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        tap.makeService(options("--config", str(config), "--listen", "nonsense:1"))
    assert ended.value.code == 1
    assert capsys.readouterr().err.startswith("reverseproxy: --listen: ")


@pytest.mark.parametrize("nodaemon", [True, False])
def test_what_the_configuration_names_and_is_not_there_is_told_at_the_start(
    config: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path, nodaemon: bool
) -> None:
    config.write_text(f"access_log: {tmp_path}/none/access.log\nroutes: [{{path: /, respond: 204}}]\n")
    pidfile = tmp_path / "twistd.pid"
    pidfile.write_text(str(os.getpid()))
    parsed = options("--config", str(config))
    before: Any = {"nodaemon": nodaemon, "pidfile": str(pidfile)}
    parsed.parent = before
    service = tap.makeService(parsed)
    with pytest.raises(SystemExit if nodaemon else StartError) as ended:
        service.privilegedStartService()
    if nodaemon:
        assert isinstance(ended.value, SystemExit)
        assert ended.value.code == 1
        assert "cannot be opened: No such file" in capsys.readouterr().err
        assert not pidfile.exists(), "twistd would find it at the next start"
    else:
        assert "cannot be opened: No such file" in str(ended.value)


@pytest.mark.parametrize("what", ODD)
def test_a_certificate_that_makes_no_sense_is_told_with_its_place(
    config: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path, what: str
) -> None:
    one = odd(Authority(tmp_path), what)
    tls = f"{{certificates: {{cert: {one.cert}, key: {one.key}}}}}"
    config.write_text(f"listen:\n  - {{endpoint: tcp:8443, tls: {tls}}}\n{GOOD}")
    with pytest.raises(SystemExit):
        tap.makeService(options("--config", str(config)))
    told = capsys.readouterr().err
    assert f"{config}:2:53: error: {one.cert}: a certificate in it cannot be read" in told
    assert "--listen" not in told


def test_what_fails_in_an_unknown_way_is_not_laid_to_the_command_line(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(path: str, environ: object) -> None:
        raise ValueError("nobody has thought of this")

    monkeypatch.setattr(tap, "examine", fails)
    with pytest.raises(ValueError, match="nobody has thought of this"):
        tap.makeService(options("--config", str(config)))


def test_a_configuration_knows_that_it_was_told_where_to_listen(tmp_path: Path) -> None:
    config = tmp_path / "x.yaml"
    config.write_text("routes: [{path: /, respond: 204}]\n")
    found = tap.examine(str(config), {})
    assert not tap.listening_on(found, []).loaded.told_where
    assert tap.listening_on(found, ["tcp:1"]).loaded.told_where
