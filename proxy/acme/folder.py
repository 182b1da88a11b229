"""Storage on disk, which several processes may share, on one machine or over a file system that knows locks.

    FOLDER/DIRECTORY/account.json                 the account, with its key
    FOLDER/DIRECTORY/certificates/LABEL.pem       a key and its certificate chain, in one file: replaced in one step
    FOLDER/DIRECTORY/certificates/LABEL.json      what is remembered of it
    FOLDER/DIRECTORY/certificates/LABEL.lock      who orders
    FOLDER/DIRECTORY/proofs/...                   what is shown to the authority at this moment

Only the proxy's user can read any of it. Nothing is written where it may be seen half: beside first, then in place.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from proxy import limits
from proxy.acme.account import Account
from proxy.acme.keys import type_of
from proxy.acme.storage import Kept, Record, StorageError
from proxy.tls.certificates import CertificateError, Pair, signature
from proxy.tls.contexts import CertificateFiles

FOLDER_MODE, FILE_MODE = 0o700, 0o600
_PROOF_KEY = re.compile(r"[A-Za-z0-9_.-]{1,200}\Z")
_PROOF_BYTES = 4096


class FileLock:
    """An advisory lock on a file, which the kernel gives back when the process ends."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor

    def release(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


class Folder:
    """The storage of one directory in a folder that belongs to several.

    @param directory: its URL.
    """

    def __init__(self, base: str | Path, directory: str) -> None:
        self.base = Path(base)
        self.path = self.base / directory_label(directory)
        self._certificates = self.path / "certificates"
        self._proofs = self.path / "proofs"

    # --- the account --------------------------------------------------------------------------------------

    def account(self) -> Account | None:
        found = self._json(self.path / "account.json")
        if found is None:
            return None
        try:
            return Account(str(found["key"]), str(found.get("url", "")), str(found.get("email", "")))
        except KeyError as error:
            raise StorageError(f"{self.path / 'account.json'}: there is no key in it") from error

    def keep_account(self, account: Account) -> None:
        self._write(self.path / "account.json", json.dumps(account._asdict(), indent=2))

    # --- certificates -------------------------------------------------------------------------------------

    def files(self, label: str) -> CertificateFiles:
        path = str(self._certificates / f"{label}.pem")
        return CertificateFiles(path, path)

    def seen(self, label: str) -> object:
        seen = signature(self.files(label)[:1])
        return seen if any(map(any, seen)) else None

    def certificate(self, label: str) -> Kept | None:
        files = self.files(label)
        if self.seen(label) is None:
            return None
        try:
            pair = files.load()
        except CertificateError as error:
            raise StorageError(str(error)) from error
        return Kept(pair.leaf, type_of(pair.key))

    def keep_certificate(self, label: str, key: str, chain: str) -> None:
        self._write(Path(self.files(label).cert), f"{key.strip()}\n{chain.strip()}\n")

    def others(self) -> Iterator[tuple[CertificateFiles, Pair]]:
        """Every certificate in the folder that can be used, whatever it was ordered for: those of this directory
        first, then those of the others."""
        paths = sorted(self.base.glob("*/certificates/*.pem"), key=lambda path: path.parent != self._certificates)
        for path in paths:
            files = CertificateFiles(str(path), str(path))
            try:
                yield files, files.load()
            except CertificateError:
                continue  # whoever looks after it says so

    def record(self, label: str) -> Record:
        try:
            found = self._json(self._certificates / f"{label}.json") or {}
        except StorageError:
            found = {}
        kinds = {name: type(default) for name, default in Record()._asdict().items()}
        return Record(
            **{
                name: kind(found[name])
                for name, kind in kinds.items()
                if isinstance(found.get(name), (int, float) if kind is float else kind)
            }
        )

    def keep_record(self, label: str, record: Record) -> None:
        self._write(self._certificates / f"{label}.json", json.dumps(record._asdict(), indent=2))

    def lock(self, label: str) -> FileLock | None:
        path = self._certificates / f"{label}.lock"
        try:
            self._make(path.parent)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
        except OSError as error:
            raise told(path, error) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            if isinstance(error, BlockingIOError):
                return None
            raise told(path, error) from error
        return FileLock(descriptor)

    # --- proofs -------------------------------------------------------------------------------------------

    def keep_proof(self, key: str, text: str) -> None:
        if not _PROOF_KEY.match(key):
            raise StorageError(f"{key!r} cannot be the name of a file")
        self._forget_old_proofs()
        self._write(self._proofs / key, text)

    def proof(self, key: str) -> str | None:
        if not _PROOF_KEY.match(key):
            return None
        try:
            with (self._proofs / key).open("rb") as file:
                return file.read(_PROOF_BYTES).decode("ascii")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise StorageError(f"{self._proofs / key}: {error}") from error

    def drop_proof(self, key: str) -> None:
        try:
            (self._proofs / key).unlink(missing_ok=True)
        except OSError as error:
            raise told(self._proofs / key, error) from error

    def _forget_old_proofs(self) -> None:
        """Of processes that were killed in the middle of an order."""
        oldest = time.time() - limits.ACME_PROOF_SECONDS
        with suppress(OSError):
            for path in self._proofs.iterdir():
                if path.stat().st_mtime < oldest:
                    path.unlink(missing_ok=True)

    # --- files --------------------------------------------------------------------------------------------

    def _json(self, path: Path) -> Mapping[str, Any] | None:
        try:
            value = json.loads(path.read_bytes())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise told(path, error) from error
        except ValueError as error:
            raise StorageError(f"{path}: not JSON; move it away to begin anew") from error
        if not isinstance(value, dict):
            raise StorageError(f"{path}: not a JSON object; move it away to begin anew")
        return value

    def _make(self, folder: Path) -> None:
        for each in (self.base, self.path, folder):
            each.mkdir(FOLDER_MODE, parents=each == self.base, exist_ok=True)

    def _write(self, path: Path, text: str) -> None:
        """Replace a file in one step, and not before its new content is on the disk."""
        beside = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            self._make(path.parent)
            beside.unlink(missing_ok=True)
            descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
        except OSError as error:
            with suppress(OSError):
                beside.unlink(missing_ok=True)
            raise told(path, error) from error

    def __repr__(self) -> str:
        return f"<Folder {self.path}>"


def told(path: Path, error: OSError) -> StorageError:
    """What the operating system says, as an error of storage."""
    return StorageError(f"{path}: {error.strerror or error}")


def directory_label(directory: str) -> str:
    """A folder's name for the directory at a URL."""
    parts = urlsplit(directory)
    host = f"{parts.hostname or 'directory'}{f'+{parts.port}' if parts.port else ''}"
    return f"{host}-{hashlib.sha256(directory.encode()).hexdigest()[:10]}"
