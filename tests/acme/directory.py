"""An ACME authority in memory: it verifies every signature, nonce and proof, and fails where a test wants it to."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from joserfc import jws
from joserfc.jwk import ECKey, OctKey
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import Clock

from proxy.acme.authority import World
from proxy.acme.words import Answer, Ask, Fetch, UnreachedError
from proxy.alarm import Alarm
from tests.support.authority import Authority

HOST = "https://ca.test"
URL = f"{HOST}/dir"
# When every story begins.
BEGIN = 1_790_000_000.0
DAY = 86400.0


class Refusal(Exception):  # noqa: N818 - a refusal is no failure of the authority
    """The answer is a problem document."""

    def __init__(self, kind: str, detail: str = "no", status: int = 400, **more: Any) -> None:
        super().__init__(kind, detail)
        self.status = status
        self.value = {"type": f"urn:ietf:params:acme:error:{kind}", "detail": detail, **more}


class Time:
    """A wall clock and a wheel; whoever pauses, moves both."""

    def __init__(self) -> None:
        self.wall = BEGIN
        self.clock = Clock()
        self.alarm = Alarm(self.clock, self.clock.seconds)
        self.pauses: list[float] = []

    def now(self) -> float:
        return self.wall

    async def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.wall += seconds

    def passes(self, seconds: float, step: float = 61.0) -> None:
        """Time goes on, in steps that are no shorter than a look."""
        while seconds > 0:
            self.wall += min(step, seconds)
            self.clock.advance(min(step, seconds))
            seconds -= step


class Directory:
    """The authority.

    @ivar sees: given kind, name, token and key authorization of a proof, whether it can be seen.
    @ivar asked: the paths of all requests, in their order.
    @ivar bad_nonces: so many of the next signed requests are refused for their nonce.
    @ivar trouble: what is raised at the next request for a path.
    @ivar polls: so often an authorization and an order are still under way when they are asked for.
    @ivar window: what renewalInfo says, as (begin, end); without one there is no renewalInfo.
    """

    def __init__(self, folder: Path, time: Time, url: str = HOST) -> None:
        folder.mkdir(exist_ok=True)
        self.time = time
        self.host = url
        self.signer = Authority(folder, f"CA {url[8:]}")
        self.sees: Callable[[str, str, str, str], bool] = lambda kind, name, token, text: True
        self.asked: list[str] = []
        self.replaced: list[str] = []
        self.bad_nonces = 0
        self.trouble: dict[str, list[Exception]] = {}
        self.polls = 0
        self.retry_after = ""
        self.offers = ("dns-01", "http-01", "tls-alpn-01")
        self.reused = False
        self.terms = ""
        self.bindings: dict[str, bytes] | None = None
        self.window: tuple[float, float] | None = None
        self.days = 90.0
        self.down = False
        self.issued: list[x509.Certificate] = []
        self.revoked: list[tuple[int, int]] = []
        self.accounts: dict[str, dict[str, Any]] = {}
        self.other_key = False
        self._nonces: set[str] = set()
        self._count = 0
        self._orders: dict[str, dict[str, Any]] = {}
        self._authorizations: dict[str, dict[str, Any]] = {}
        self._chains: dict[str, bytes] = {}

    # --- requests -----------------------------------------------------------------------------------------

    async def fetch(self, ask: Ask) -> Answer:
        path = ask.url.removeprefix(self.host)
        self.asked.append(path)
        if self.down:
            raise UnreachedError(f"{ask.url} cannot be reached: Connection refused")
        fields = {"replay-nonce": self._nonce()}
        try:
            if self.trouble.get(path):
                raise self.trouble[path].pop(0)
            if ask.method == "POST":
                status, more, value = self._signed(path, ask)
            else:
                status, more, value = self._plain(path)
        except Refusal as refusal:
            return Answer(refusal.status, {**fields, "retry-after": self.retry_after}, _json(refusal.value))
        return Answer(status, {**fields, **more}, value if isinstance(value, bytes) else _json(value))

    def _nonce(self) -> str:
        self._count += 1
        self._nonces.add(f"nonce{self._count}")
        return f"nonce{self._count}"

    def _plain(self, path: str) -> tuple[int, dict[str, str], Any]:
        if path == "/dir":
            urls = {"newNonce": "nonce", "newAccount": "account", "newOrder": "order", "revokeCert": "revoke"}
            offer: dict[str, Any] = {key: f"{self.host}/{value}" for key, value in urls.items()}
            if self.window is not None:
                offer["renewalInfo"] = f"{self.host}/info"
            meta = {"termsOfService": self.terms} if self.terms else {}
            return 200, {}, {**offer, "meta": {**meta, "externalAccountRequired": self.bindings is not None}}
        if path == "/nonce":
            return 200, {}, {}
        if path.startswith("/info/") and self.window is not None:
            begin, end = (datetime.fromtimestamp(one, UTC).isoformat() for one in self.window)
            return 200, {"retry-after": "3600"}, {"suggestedWindow": {"start": begin, "end": end}}
        return 404, {}, {"type": "about:blank", "detail": "nothing is here"}

    def _signed(self, path: str, ask: Ask) -> tuple[int, dict[str, str], Any]:
        value = json.loads(ask.body)
        protected = json.loads(_decoded(value["protected"]))
        assert protected["url"] == ask.url
        assert protected["nonce"] in self._nonces, "a nonce is used once"
        self._nonces.discard(protected["nonce"])
        if self.bad_nonces:
            self.bad_nonces -= 1
            raise Refusal("badNonce", "not this one")
        account = protected.get("kid", "")
        if account and account not in self.accounts:
            raise Refusal("accountDoesNotExist", "who is that?")
        jwk = self.accounts[account]["jwk"] if account else protected["jwk"]
        registry = jws.JWSRegistry(algorithms=["ES256"], strict_check_header=False)
        payload = jws.deserialize_json(value, ECKey.import_key(jwk), registry=registry).payload
        sent = json.loads(payload) if payload else None
        return self._page(path, account, jwk, sent)

    def _page(self, path: str, account: str, jwk: Any, sent: Any) -> tuple[int, dict[str, str], Any]:
        kind, _, number = path.strip("/").partition("/")
        if kind == "account":
            return self._account(f"{self.host}{path}" if number else "", jwk, sent)
        assert account, "only a new account signs with its key"
        if kind == "order":
            return self._new_order(sent) if not number else (200, {}, self._order(path))
        if kind == "authorization":
            return 200, {"retry-after": self.retry_after}, self._authorization(path)
        if kind == "challenge":
            return 200, {}, self._challenge(number, jwk)
        if kind == "finalize":
            return 200, {}, self._finalize(f"/order/{number}", _decoded(sent["csr"]))
        if kind == "certificate":
            return 200, {}, self._chains[number]
        assert kind == "revoke", path
        found = x509.load_der_x509_certificate(_decoded(sent["certificate"]))
        self.revoked.append((found.serial_number, sent["reason"]))
        return 200, {}, {}

    def _account(self, url: str, jwk: Any, sent: Any) -> tuple[int, dict[str, str], Any]:
        if url:
            self.accounts[url]["contact"] = sent["contact"]
            return 200, {}, {}
        for known, one in self.accounts.items():
            if one["jwk"] == jwk:
                return 200, {"location": known}, {}
        assert sent["termsOfServiceAgreed"] is True
        if self.bindings is not None:
            bound = sent["externalAccountBinding"]
            head = json.loads(_decoded(bound["protected"]))
            assert head["url"] == f"{self.host}/account"
            assert json.loads(_decoded(bound["payload"])) == jwk
            registry = jws.JWSRegistry(algorithms=["HS256"], strict_check_header=False)
            jws.deserialize_json(bound, OctKey.import_key(self.bindings[head["kid"]]), registry=registry)
        url = f"{self.host}/account/{len(self.accounts) + 1}"
        self.accounts[url] = {"jwk": jwk, "contact": sent["contact"]}
        return 201, {"location": url}, {"status": "valid"}

    # --- orders -------------------------------------------------------------------------------------------

    def _new_order(self, sent: Any) -> tuple[int, dict[str, str], Any]:
        number = str(len(self._orders) + 1)
        if "replaces" in sent:
            self.replaced.append(sent["replaces"])
        names = [identifier["value"] for identifier in sent["identifiers"]]
        paths = []
        for place, name in enumerate(names):
            path = f"/authorization/{number}-{place}"
            url, token = f"{self.host}/challenge/{number}-{place}", f"token-{number}-{place}"
            offered = [{"type": kind, "url": f"{url}-{kind}", "token": token} for kind in self.offers]
            status = "valid" if self.reused else "pending"
            identifier = {"type": "dns", "value": name}
            self._authorizations[path] = {"status": status, "identifier": identifier, "challenges": offered, "polls": 0}
            paths.append(path)
        self._orders[f"/order/{number}"] = {
            "status": "ready" if self.reused else "pending",
            "names": names,
            "authorizations": [f"{self.host}{path}" for path in paths],
            "finalize": f"{self.host}/finalize/{number}",
            "polls": 0,
        }
        return 201, {"location": f"{self.host}/order/{number}"}, self._order(f"/order/{number}")

    def _authorization(self, path: str) -> dict[str, Any]:
        found = self._authorizations[path]
        if found.get("next"):
            found["polls"] += 1
            if found["polls"] > self.polls:
                found["status"] = found.pop("next")
        return {key: value for key, value in found.items() if key not in ("polls", "next")}

    def _challenge(self, number: str, jwk: Any) -> dict[str, Any]:
        place, _, kind = number.partition("-")[2].partition("-")
        found = self._authorizations[f"/authorization/{number.partition('-')[0]}-{place}"]
        [challenge] = [one for one in found["challenges"] if one["type"] == kind]
        text = f"{challenge['token']}.{ECKey.import_key(jwk).thumbprint()}"
        seen = self.sees(kind, found["identifier"]["value"], challenge["token"], text)
        found["next"] = "valid" if seen else "invalid"
        if found["next"] == "invalid":
            challenge["error"] = Refusal("connection", "nobody is there").value
        return dict(challenge)

    def _order(self, path: str) -> dict[str, Any]:
        order = self._orders[path]
        proved = {self._authorizations[url.removeprefix(self.host)]["status"] for url in order["authorizations"]}
        if order["status"] == "pending" and "invalid" in proved:
            order["status"] = "invalid"
        elif order["status"] == "pending" and proved == {"valid"}:
            order["status"] = "ready"
        elif order["status"] == "processing":
            order["polls"] += 1
            if order["polls"] > self.polls:
                order["status"] = "valid"
        return {key: value for key, value in order.items() if key not in ("polls", "names")}

    def _finalize(self, path: str, der: bytes) -> dict[str, Any]:
        order = self._orders[path]
        csr = x509.load_der_x509_csr(der)
        san = csr.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert san.get_values_for_type(x509.DNSName) == order["names"]
        number = path.rpartition("/")[2]
        certificate = self._certificate(csr, san)
        self.issued.append(certificate)
        chain = certificate, self.signer.certificate
        self._chains[number] = b"".join(one.public_bytes(Encoding.PEM) for one in chain)
        order |= {"status": "processing", "certificate": f"{self.host}/certificate/{number}"}
        return self._order(path)

    def _certificate(self, csr: x509.CertificateSigningRequest, san: x509.SubjectAlternativeName) -> x509.Certificate:
        begin = datetime.fromtimestamp(self.time.now(), UTC) - timedelta(hours=1)
        public = self.signer.key.public_key() if self.other_key else csr.public_key()
        serial = x509.random_serial_number()
        end = begin + timedelta(days=self.days)
        builder = x509.CertificateBuilder(self.signer.name, x509.Name([]), public, serial, begin, end)  # type: ignore[arg-type]
        above = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.signer.key.public_key())
        builder = builder.add_extension(san, True).add_extension(above, False)
        return builder.sign(self.signer.key, csr.signature_hash_algorithm)  # type: ignore[arg-type]


def world(time: Time, *directories: Directory) -> World:
    """A world of nothing but these."""

    async def fetch(ask: Ask) -> Answer:
        for directory in directories:
            if ask.url.startswith(f"{directory.host}/"):
                return await directory.fetch(ask)
        raise AssertionError(f"nobody is at {ask.url}")

    def courier(ca: str) -> Fetch:
        return fetch

    def in_thread(work: Callable[[], Any]) -> Deferred[Any]:
        return maybeDeferred(work)

    return World(courier, time.pause, time.now, in_thread, Random(1))


def done(coroutine: Any) -> Any:
    """What a coroutine that waits for nothing returns, or raises."""
    told: list[Any] = []
    Deferred.fromCoroutine(coroutine).addBoth(told.append)
    assert told, "it waits for something"
    if hasattr(told[0], "raiseException"):
        told[0].raiseException()
    return told[0]


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
