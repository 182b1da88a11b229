"""Finds the programs to measure; fetches those that Debian lacks into a virtual environment beside the project's."""

import shutil
import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path

from tests.bench.machine import BenchError

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / ".tools" / "peers"
_DEBIAN_PATHS = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PIP_SECONDS = 240


def find_program(name: str) -> Path | None:
    """A program of the system; Debian keeps servers in /usr/sbin, which is not in everybody's PATH."""
    found = shutil.which(name) or shutil.which(name, path=_DEBIAN_PATHS)
    return Path(found) if found else None


def find_tool(pattern: str) -> Path | None:
    """A file of the environment of peers by a glob pattern, e.g. "bin/caddy"."""
    return next(iter(sorted(TOOLS.glob(pattern))), None)


def tools_python() -> Path:
    return TOOLS / "bin" / "python"


def install(packages: Sequence[str]) -> dict[str, str]:
    """
    Make these PyPI packages available in the environment of peers.

    Returns, for each package that could not be had, why. One at a time: a package that is missing for this
    platform must not keep the others away.
    """
    failures: dict[str, str] = {}
    for package in packages:
        try:
            _install_one(package)
        except BenchError as error:
            failures[package] = str(error)
    return failures


def _install_one(package: str) -> None:
    marker = TOOLS / f".installed-{package}"
    if marker.exists():
        return
    if not tools_python().exists():
        print(f"creating {TOOLS.relative_to(ROOT)}", file=sys.stderr)
        venv.create(TOOLS, with_pip=True)
    print(f"installing {package} into {TOOLS.relative_to(ROOT)}", file=sys.stderr)
    argv: list[str | Path] = [tools_python(), "-m", "pip", "--disable-pip-version-check", "install", "--quiet", package]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=_PIP_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise BenchError(f"pip took more than {_PIP_SECONDS} s") from None
    if done.returncode != 0:
        raise BenchError((done.stderr.strip().splitlines() or ["pip failed"])[-1])
    marker.touch()
