"""Certificates that have just been read: `check` reads them all, and who is built after it need not do so again."""

from __future__ import annotations

from proxy.tls.certificates import Pair, signature
from proxy.tls.contexts import CertificateFiles


class Pairs:
    """What is in files, each read once. One that has changed since is read again."""

    def __init__(self) -> None:
        self._read: dict[CertificateFiles, tuple[object, Pair]] = {}

    def load(self, files: CertificateFiles) -> Pair:
        """@raise CertificateError: they cannot be used."""
        seen = signature(files)
        known = self._read.get(files)
        if known is not None and known[0] == seen:
            return known[1]
        pair = files.load()
        self._read[files] = seen, pair
        return pair

    def __repr__(self) -> str:
        return f"<Pairs {len(self._read)}>"
