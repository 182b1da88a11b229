"""
Every way of installing makes `twistd reverseproxy` appear, and uninstalling takes away only that.

Nothing is downloaded: an environment of its own borrows the installed dependencies by symbolic links. Only
Twisted is copied, because the drop-in lands in the folder of its plugins.
"""

import re
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Callable
from pathlib import Path
from shutil import copytree

import pytest

from tests.support.ports import LOOPBACK, free_port
from tests.support.processes import ProcessPark
from tests.support.proxy import ROOT
from tests.support.raw import RawClient

pytestmark = pytest.mark.slow

_OURS = ("proxy", "twisted_reverseproxy", "_editable_impl_twisted_reverseproxy", "__editable__")
_SOURCES = ("pyproject.toml", "README.md", "LICENSE", "proxy", "config", "twisted")


class Environment:
    """A virtual environment with every dependency of the program, but not the program."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.python = directory / "bin" / "python"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", directory], check=True)
        inside = {"base": str(directory), "platbase": str(directory)}
        self.site_packages = Path(sysconfig.get_path("purelib", vars=inside))
        for entry in Path(sysconfig.get_path("purelib")).iterdir():
            if entry.name == "twisted":
                copytree(entry, self.site_packages / "twisted", ignore=_not_of_twisted)
            elif not entry.name.startswith(_OURS):
                (self.site_packages / entry.name).symlink_to(entry)
        self.twistd = directory / "bin" / "twistd"
        self.twistd.write_text(f"#!{self.python}\nfrom twisted.scripts.twistd import run\nrun()\n")
        self.twistd.chmod(0o755)

    def run(self, *words: str | Path) -> str:
        """Standard output of a command, run far from the checkout."""
        return _run(self.directory, *words)

    def pip(self, command: str, *words: str | Path) -> None:
        self.run(sys.executable, "-m", "pip", "--quiet", "--python", self.python, command, *words)

    def install(self, *words: str | Path) -> None:
        """`pip install` that can reach neither a network nor a newer version of anything."""
        self.pip("install", "--no-deps", "--no-index", "--no-build-isolation", *words)

    def twistd_commands(self) -> set[str]:
        listed = self.run(self.twistd, "--help").partition("Commands:")[2]
        return set(re.findall(r"^ {4}(\S+)", listed, re.MULTILINE))

    def plugin_files(self) -> set[str]:
        """The modules in Twisted's own folder of plugins."""
        return {path.name for path in (self.site_packages / "twisted" / "plugins").glob("*.py")}


def _run(folder: Path, *words: str | Path) -> str:
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _not_of_twisted(folder: str, names: list[str]) -> set[str]:
    return {name for name in names if name in ("test", "__pycache__", "dropin.cache", "reverseproxy_plugin.py")}


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """A copy of what the distribution is built from."""
    target = tmp_path / "sources"
    target.mkdir()
    for name in _SOURCES:
        origin = ROOT / name
        if origin.is_dir():
            copytree(origin, target / name, ignore=lambda *_: {"__pycache__", "dropin.cache"})
        else:
            (target / name).write_bytes(origin.read_bytes())
    return target


def _build_wheel(sources: Path) -> Path:
    built = sources.parent / "wheels"
    _run(sources, sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", built)
    [wheel] = built.glob("*.whl")
    return wheel


def _from_folder(environment: Environment, sources: Path) -> None:
    environment.install(sources)


def _editable(environment: Environment, sources: Path) -> None:
    environment.install("--editable", sources)


def _from_wheel(environment: Environment, sources: Path) -> None:
    environment.install(_build_wheel(sources))


@pytest.mark.parametrize("install", [_from_folder, _editable, _from_wheel])
def test_installing_adds_the_command_and_uninstalling_only_removes_it(
    tmp_path: Path, sources: Path, install: Callable[[Environment, Path], None], park: ProcessPark
) -> None:
    environment = Environment(tmp_path / "venv")
    commands, plugins = environment.twistd_commands(), environment.plugin_files()
    assert "web" in commands
    assert "reverseproxy" not in commands

    install(environment, sources)
    assert environment.twistd_commands() == commands | {"reverseproxy"}
    assert "uvloop" in environment.run(environment.twistd, "--help-reactors")
    console_script = environment.python.with_name("reverseproxy")
    assert environment.run(console_script, "version")
    _assert_serves_its_default(environment, park)

    environment.pip("uninstall", "--yes", "twisted-reverseproxy")
    assert environment.twistd_commands() == commands
    assert environment.plugin_files() == plugins
    assert not console_script.exists()


def _assert_serves_its_default(environment: Environment, park: ProcessPark) -> None:
    """Without a configuration the installed program serves the one it carries."""
    port = free_port()
    process = park.start(
        environment.twistd,
        *("-n", "--pidfile=", "reverseproxy", "--listen", f"tcp:{port}:interface={LOOPBACK}"),
        cwd=environment.directory,
    )
    process.wait_for_port(port)
    with RawClient(port) as client:
        assert client.get(b"/").status == 200
    process.stop()
    process.assert_no_traceback()


def test_a_wheel_holds_the_program_and_one_drop_in(sources: Path) -> None:
    with zipfile.ZipFile(_build_wheel(sources)) as wheel:
        names = set(wheel.namelist())
    folders = {name.split("/")[0] for name in names}
    assert {folder for folder in folders if not folder.endswith(".dist-info")} == {"proxy", "twisted"}
    assert [name for name in names if name.startswith("twisted/")] == ["twisted/plugins/reverseproxy_plugin.py"]
    assert "proxy/default_routes.yaml" in names
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)
