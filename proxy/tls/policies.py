"""Which versions and ciphers are spoken, under three names.

The first two are Mozilla's recommendations for servers of the same name, version 5.8 (without finite-field
Diffie-Hellman, whose parameters nobody checks). Key exchange groups are OpenSSL's own defaults: with the hybrid of
X25519 and ML-KEM first, where it knows it.
"""

from __future__ import annotations

from typing import NamedTuple

from OpenSSL import SSL

_TLS13 = b"TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
_AEAD = (
    b"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    b"ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
)
# For clients from before 2014: still forward secret, without authenticated encryption.
_CBC = b":ECDHE-ECDSA-AES128-SHA256:ECDHE-RSA-AES128-SHA256:ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA"

VERSIONS = {"1.2": SSL.TLS1_2_VERSION, "1.3": SSL.TLS1_3_VERSION}


class Policy(NamedTuple):
    """What is spoken.

    @ivar minimum: the lowest version, one of `VERSIONS`.
    @ivar ciphers: of TLS 1.2, in OpenSSL's words.
    """

    minimum: str
    ciphers: bytes

    def apply(self, context: SSL.Context) -> None:
        """Set `context` up."""
        context.set_min_proto_version(VERSIONS[self.minimum])
        context.set_cipher_list(self.ciphers)
        context.set_tls13_ciphersuites(_TLS13)


POLICIES = {
    "modern": Policy("1.3", _AEAD),
    "intermediate": Policy("1.2", _AEAD),
    "legacy": Policy("1.2", _AEAD + _CBC),
}


def policy(name: str, minimum: str | None = None) -> Policy:
    """The policy `name`, with a higher lowest version where one is given."""
    found = POLICIES[name]
    return found if minimum is None else found._replace(minimum=max(minimum, found.minimum))
