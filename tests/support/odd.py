"""Certificates that no authority should issue, and some do: OpenSSL serves most of them, the library does not."""

from __future__ import annotations

import base64
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtensionOID

from tests.support.authority import Authority, Issued

NAME = "abc.test"
_NAMES = b"\x30\x0a\x82\x08abc.test"
_ELLIPTIC = bytes.fromhex("06072a8648ce3d0201")
_CURVE = bytes.fromhex("06082a8648ce3d030107")
_CHANGES = {
    "names cut off": (_NAMES, b"\x30\x0a\x82\x10abc.test"),
    "a name that is no ascii": (_NAMES, b"\x30\x0a\x82\x08ab\xfc.test"),
    "an unknown kind of key": (_ELLIPTIC, _ELLIPTIC[:-1] + b"\x7f"),
    "an unknown curve": (_CURVE, _CURVE[:-1] + b"\x70"),
    "version 5": (b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x04"),
    "two lists of names": (b"\x06\x03\x55\x1d\x25", b"\x06\x03\x55\x1d\x11"),
    "a month of letters": (b"\x17\x0d2", b"\x17\x0dx"),
}

#: What may be odd about a certificate that cannot be used.
ODD = tuple(_CHANGES)
#: Of an authority's certificate less is asked.
ODD_AUTHORITY = ("version 5", "a month of letters")


def odd(authority: Authority, what: str, file: str = "odd") -> Issued:
    """A certificate for `NAME` with one fault of `ODD` in its file. Its signature is not right any more either."""
    issued = authority.issue(NAME, file=file)
    before, after = _CHANGES[what]
    data = issued.certificate.public_bytes(Encoding.DER)
    assert before in data
    text = base64.encodebytes(data.replace(before, after, 1))
    Path(issued.cert).write_bytes(b"-----BEGIN CERTIFICATE-----\n" + text + b"-----END CERTIFICATE-----\n")
    return issued


def signed_oddly(authority: Authority, file: str = "odd") -> Issued:
    """A certificate whose names are no ASCII, properly signed: OpenSSL finds nothing wrong with it."""
    names = x509.UnrecognizedExtension(ExtensionOID.SUBJECT_ALTERNATIVE_NAME, b"\x30\x0a\x82\x08ab\xfc.test")
    return authority.issue(file=file, more=[names])
