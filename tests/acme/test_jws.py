"""The account's key, and what it signs."""

import base64
import hashlib
import json

import pytest
from joserfc import jws
from joserfc.jwk import ECKey, OctKey

from proxy.acme.jws import Signer, digest, encoded, new_account_key

# RFC 7638 section 3 asks for exactly these members, in this order.
MEMBERS = ("crv", "kty", "x", "y")


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def test_a_request_names_the_account_or_brings_the_key() -> None:
    signer = Signer(new_account_key())
    for account in ("", "https://ca.test/account/1"):
        value = json.loads(signer.sign(b'{"a":1}', "https://ca.test/order", "n1", account))
        assert set(value) == {"protected", "payload", "signature"}
        head = json.loads(decoded(value["protected"]))
        assert (head["alg"], head["nonce"], head["url"]) == ("ES256", "n1", "https://ca.test/order")
        assert head.get("kid") == (account or None)
        assert ("jwk" in head) == (not account)
        registry = jws.JWSRegistry(algorithms=["ES256"], strict_check_header=False)
        assert jws.deserialize_json(value, ECKey.import_key(signer.jwk), registry=registry).payload == b'{"a":1}'


def test_a_post_as_get_has_an_empty_payload() -> None:
    assert json.loads(Signer(new_account_key()).sign(b"", "https://ca.test/x", "n"))["payload"] == ""


def test_the_private_key_is_never_sent() -> None:
    signer = Signer(new_account_key())
    assert "d" not in signer.jwk
    assert set(signer.jwk) == set(MEMBERS)


def test_a_proof_is_the_token_and_the_thumbprint() -> None:
    signer = Signer(new_account_key())
    canonical = json.dumps({key: signer.jwk[key] for key in MEMBERS}, separators=(",", ":"))
    thumbprint = encoded(hashlib.sha256(canonical.encode()).digest())
    assert signer.proof("token") == f"token.{thumbprint}"
    assert digest("token.x") == hashlib.sha256(b"token.x").digest()


def test_a_binding_is_our_key_signed_with_the_secret() -> None:
    signer = Signer(new_account_key())
    secret = b"0123456789abcdef0123456789abcdef"
    bound = signer.bound("kid-1", encoded(secret), "https://ca.test/account")
    assert json.loads(decoded(bound["protected"])) == {"alg": "HS256", "kid": "kid-1", "url": "https://ca.test/account"}
    registry = jws.JWSRegistry(algorithms=["HS256"], strict_check_header=False)
    assert json.loads(jws.deserialize_json(bound, OctKey.import_key(secret), registry=registry).payload) == signer.jwk


@pytest.mark.parametrize("pem", ["", "x", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_what_is_no_key_is_told(pem: str) -> None:
    with pytest.raises(ValueError, match="no key of an account"):
        Signer(pem)


def test_another_curve_is_not_taken() -> None:
    with pytest.raises(ValueError, match="P-256"):
        Signer(ECKey.generate_key("P-384").as_pem(private=True).decode())
