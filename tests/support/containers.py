"""
Container images built and run where no registry and no daemon can be reached.

buildah and podman from Debian work in a storage of their own, which is removed afterwards. The base image is
made with debootstrap from the mirror that apt uses here, and kept as a tar in the user's cache folder,
because that takes a minute.
"""

import json
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.support.processes import require_program

BASE = "localhost/reverseproxy-test-base"
_TOOLS = ("buildah", "podman", "runc", "debootstrap")
_PACKAGES = "python3,python3-venv,ca-certificates"
# Not needed to run Python, and more than half of what debootstrap leaves.
_DISPENSABLE = ("var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/man", "usr/share/locale")

# crun refuses to start inside some sandboxes and runc does not; cgroupfs needs no systemd.
_CONTAINERS_CONF = """\
[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
"""
_STORAGE_CONF = """\
[storage]
driver = "overlay"
graphroot = "{directory}/images"
runroot = "{directory}/run"
"""
# The machine's certificates: its package index may be one that only they know.
_DOCKERFILE = """\
FROM scratch
ADD base.tar /
COPY certificates.crt /etc/ssl/certs/ca-certificates.crt
ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt
"""
_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")


class Containers:
    """buildah and podman over a storage of their own, with the base image `BASE` in it."""

    def __init__(self) -> None:
        if os.geteuid() != 0:
            pytest.skip("building and running an image without a daemon needs root here")
        for tool in _TOOLS:
            require_program(tool)
        # A short path: podman puts sockets below it, whose names may have 107 bytes.
        self.directory = Path(tempfile.mkdtemp(prefix="rp-", dir="/var/tmp"))
        self.environment = {
            **os.environ,
            "CONTAINERS_CONF": str(self.directory / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(self.directory / "storage.conf"),
            "BUILDAH_ISOLATION": "chroot",
        }
        (self.directory / "containers.conf").write_text(_CONTAINERS_CONF)
        (self.directory / "storage.conf").write_text(_STORAGE_CONF.format(directory=self.directory))
        self._started: list[str] = []

    def make_base(self) -> None:
        """Put `BASE` into the storage; skip the test where the machine cannot build or run any image."""
        context = self.directory / "base"
        context.mkdir()
        shutil.copy(_base_tar(), context / "base.tar")
        shutil.copy(_CERTIFICATES, context / "certificates.crt")
        (context / "Dockerfile").write_text(_DOCKERFILE)
        built, output = self.status("buildah", "bud", "--format", "docker", "--tag", BASE, context)
        if built != 0:
            pytest.skip(f"no image can be built on this machine: {output.strip()[-500:]}")
        shutil.rmtree(context)
        ran, output = self.status("podman", "run", "--rm", "--network", "none", BASE, "true")
        if ran != 0:
            pytest.skip(f"no container runs on this machine: {output.strip()[-500:]}")

    def run(self, *words: str | os.PathLike[str], cwd: Path | None = None) -> str:
        """Standard output of a command that must succeed."""
        done = self._execute(*words, cwd=cwd)
        assert done.returncode == 0, f"{words}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
        return done.stdout.strip()

    def status(self, *words: str | os.PathLike[str]) -> tuple[int, str]:
        """The exit code of a command and everything that it printed."""
        done = self._execute(*words)
        return done.returncode, done.stdout + done.stderr

    def start(self, image: str, *options: str | os.PathLike[str], command: Sequence[str] = ()) -> str:
        """The id of a container that runs in the background, until `close()` at the latest."""
        container = self.run("podman", "run", "--detach", *options, image, *command)
        self._started.append(container)
        return container

    def is_running(self, container: str) -> bool:
        return self.run("podman", "inspect", "--format", "{{.State.Running}}", container) == "true"

    def inspect(self, image: str) -> Any:
        """What the image says about itself, in Docker's terms."""
        return json.loads(self.run("podman", "image", "inspect", image))[0]

    def close(self) -> None:
        """End the containers and remove the storage with all that is in it."""
        # The newest first: a container whose network another one shares cannot go before it.
        for container in reversed(self._started):
            self._execute("podman", "rm", "--force", "--time", "0", container)
        # The storage driver mounts its folder on itself, and leaves it so.
        self._execute("umount", self.directory / "images" / "overlay")
        shutil.rmtree(self.directory, ignore_errors=True)

    def _execute(
        self, *words: str | os.PathLike[str], cwd: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            words, cwd=cwd, env=self.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )


def _base_tar() -> Path:
    """A small Debian with Python as a tar file, made once for each release and kept."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "reverseproxy-tests"
    release = platform.freedesktop_os_release()
    if release.get("ID") != "debian" or "VERSION_CODENAME" not in release:
        pytest.skip("the base image is made with debootstrap, on Debian only")
    suite = release["VERSION_CODENAME"]
    tar = cache / f"{suite}-python.tar"
    if not tar.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            _debootstrap(suite, Path(folder), tar)
    return tar


def _debootstrap(suite: str, folder: Path, tar: Path) -> None:
    root = folder / "root"
    words: list[str | Path] = ["debootstrap", "--variant=minbase", f"--include={_PACKAGES}", suite, root]
    words.append(_mirror(suite))
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"debootstrap could not make a base image: {done.stdout[-1000:]}{done.stderr[-1000:]}")
    for name in _DISPENSABLE:
        shutil.rmtree(root / name, ignore_errors=True)
    subprocess.run(["tar", "-C", root, "--one-file-system", "-cf", folder / "tar", "."], check=True)
    (folder / "tar").rename(tar)


def _mirror(suite: str) -> str:
    """The address from which apt here takes the packages of `suite`."""
    form = "$(CREATED_BY) $(CODENAME) $(REPO_URI)"
    listed = subprocess.run(["apt-get", "indextargets", "--format", form], capture_output=True, text=True, check=True)
    for line in listed.stdout.splitlines():
        kind, codename, address = line.split()
        if kind == "Packages" and codename == suite:
            return address
    pytest.skip(f"apt knows no mirror of {suite}")
