"""The lock files, the metadata and the changelog agree."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.proxy import ROOT

PROGRAM = ROOT / "requirements.lock"
BUILD = ROOT / ".ci" / "build.lock"
DEVELOPMENT = ROOT / ".ci" / "dev.lock"
SCANNER = ROOT / ".ci" / "sslyze.lock"


def metadata() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def locked(path: Path) -> dict[str, str]:
    """Name to version, for every entry of a lock file."""
    return dict(re.findall(r"^([a-z0-9.-]+)==([^\s;\\]+)", path.read_text(), re.MULTILINE))


@pytest.mark.parametrize("path", [PROGRAM, BUILD], ids=lambda path: path.name)
def test_development_uses_the_versions_that_ship(path: Path) -> None:
    assert locked(path)
    assert locked(path).items() <= locked(DEVELOPMENT).items()


@pytest.mark.parametrize("path", [PROGRAM, BUILD, DEVELOPMENT, SCANNER], ids=lambda path: path.name)
def test_every_entry_has_hashes_and_no_address(path: Path) -> None:
    text = path.read_text()
    assert "://" not in text
    entries = re.split(r"^(?=[a-z0-9.-]+==)", text, flags=re.MULTILINE)[1:]
    assert len(entries) == len(locked(path))
    assert [entry for entry in entries if "--hash=sha256:" not in entry] == []


def test_what_is_asked_for_is_locked() -> None:
    project = metadata()["project"]
    wishes = list(project["dependencies"])
    for extra in project["optional-dependencies"].values():
        wishes += extra
    versions = locked(PROGRAM)
    for wish in map(Requirement, wishes):
        version = versions[canonicalize_name(wish.name)]
        assert wish.specifier.contains(version), f"{wish} is locked as {version}: run `make lock`"


def test_what_the_tools_ask_for_is_locked() -> None:
    versions = locked(DEVELOPMENT)
    groups = metadata()["dependency-groups"]
    for wish in (Requirement(line) for group in groups.values() for line in group if isinstance(line, str)):
        version = versions[canonicalize_name(wish.name)]
        assert wish.specifier.contains(version), f"{wish} is locked as {version}: run `make lock`"


def test_the_changelog_begins_with_this_version() -> None:
    headings = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert metadata()["project"]["version"] in headings[:2]
