"""OCSP responses in a folder, so that a restart has them at once: the responder may be down just then."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.logger import Logger

from proxy import limits

log = Logger()


class Shelf:
    """A folder; whatever goes wrong with it is logged once and costs no more than a question to the responder.

    What is read from it is not believed: it is judged like any other answer.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._complained = False

    def get(self, key: bytes) -> bytes:
        """The response about the certificate with the fingerprint `key`; nothing where there is none."""
        try:
            with self._path(key).open("rb") as file:
                return file.read(limits.OCSP_RESPONSE_BYTES)
        except FileNotFoundError:
            return b""
        except OSError as error:
            self._complain(error)
            return b""

    def put(self, key: bytes, response: bytes) -> None:
        """Keep a response in place of the one before, in one step."""
        path = self._path(key)
        beside = path.with_suffix(f".{os.getpid()}")
        try:
            self._folder.mkdir(0o700, parents=True, exist_ok=True)
            beside.write_bytes(response)
            beside.replace(path)
        except OSError as error:
            self._complain(error)

    def tidy(self, now: float) -> None:
        """Remove what nobody has renewed for long: those certificates are gone.

        @param now: seconds since 1970.
        """
        try:
            for path in self._folder.glob("*.*"):
                if now - path.stat().st_mtime > limits.OCSP_SHELF_SECONDS:
                    path.unlink(missing_ok=True)
        except OSError as error:
            self._complain(error)

    def _path(self, key: bytes) -> Path:
        return self._folder / f"{key.hex()}.der"

    def _complain(self, error: OSError) -> None:
        if not self._complained:
            self._complained = True
            log.warn("OCSP responses cannot be kept in {folder}: {error}", folder=self._folder, error=error.strerror)

    def __repr__(self) -> str:
        return f"<Shelf {self._folder}>"
