"""The account's key, and the signature around every request (RFC 8555 section 6.2)."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

# joserfc belongs to the extra `acme`: it is imported when it is used, so that the proxy runs without it.


def new_account_key() -> str:
    """A key for an account, as PEM. Every authority takes this kind."""
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode("ascii")


class Signer:
    """Signs as one account.

    @param pem: its private key.
    @raise ValueError: this is none.
    @ivar jwk: the public key, as JSON.
    """

    def __init__(self, pem: str) -> None:
        from joserfc.errors import JoseError
        from joserfc.jwk import ECKey

        try:
            self._key = ECKey.import_key(pem)
            self.jwk: dict[str, Any] = dict(self._key.as_dict(private=False))
            self.thumbprint: str = self._key.thumbprint()
        except (JoseError, TypeError, ValueError) as error:
            raise ValueError(f"no key of an account: {error}") from error
        if self.jwk.get("crv") != "P-256":
            raise ValueError("no key of an account: it is not of the curve P-256")

    def sign(self, payload: bytes, url: str, nonce: str, account: str = "") -> bytes:
        """The request for `url`.

        @param account: the URL of our account; "" where it has none yet, and the key itself is sent.
        """
        who: dict[str, Any] = {"kid": account} if account else {"jwk": self.jwk}
        return serialized({"alg": "ES256", **who, "nonce": nonce, "url": url}, payload, self._key)

    def proof(self, token: str) -> str:
        """What has to be shown for a challenge: its key authorization (RFC 8555 section 8.1)."""
        return f"{token}.{self.thumbprint}"

    def bound(self, key_id: str, hmac_key: str, url: str) -> dict[str, Any]:
        """Our key, signed with the secret of an account that the authority knows (RFC 8555 section 7.3.4)."""
        from joserfc.jwk import OctKey

        secret = base64.urlsafe_b64decode(hmac_key + "=" * (-len(hmac_key) % 4))
        payload = json.dumps(self.jwk).encode()
        signed = serialized({"alg": "HS256", "kid": key_id, "url": url}, payload, OctKey.import_key(secret))
        bound: dict[str, Any] = json.loads(signed)
        return bound

    def __repr__(self) -> str:
        return f"<Signer {self.thumbprint}>"


def serialized(protected: dict[str, Any], payload: bytes, key: Any) -> bytes:
    """A flattened JSON serialization (RFC 7515 section 7.2.2)."""
    from joserfc import jws

    # Not strict: `url` and `nonce` are fields of ACME's own.
    registry = jws.JWSRegistry(algorithms=[protected["alg"]], strict_check_header=False)
    return json.dumps(jws.serialize_json({"protected": protected}, payload, key, registry=registry)).encode()


def encoded(data: bytes) -> str:
    """base64url without padding, as everywhere in ACME."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def digest(text: str) -> bytes:
    """What tls-alpn-01 shows of a proof (RFC 8737 section 3)."""
    return hashlib.sha256(text.encode("ascii")).digest()
