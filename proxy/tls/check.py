"""What is wrong with the files that a configuration names for TLS: told before it is used, where it names them.

A certificate that has expired is a warning and no error: of fifty hosts one may be long forgotten, and the others
should start.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from proxy import limits
from proxy.config import Loaded
from proxy.config.problem import Path, Problem
from proxy.config.tls import Certificate, ClientCertificates, ListenerTls, UpstreamTls
from proxy.tls.certificates import (
    CertificateError,
    Pair,
    days_left,
    exposure,
)
from proxy.tls.contexts import CertificateFiles
from proxy.tls.ocsp import first_askable, must_staple, responders_in
from proxy.tls.pairs import Pairs
from proxy.tls.terms import terms


def check_files(loaded: Loaded, now: float, pairs: Pairs | None = None) -> list[Problem]:
    """Every problem with files for TLS.

    @param now: seconds since 1970.
    @param pairs: gets what is in the files of listeners.
    """
    config = loaded.config
    if config is None:
        return []
    check = _Check(loaded, now, pairs or Pairs())
    for place, listener in enumerate(config.listen):
        if listener.tls is not None:
            check.listener(("listen", place, "tls"), listener.tls)
    for name, upstream in config.upstreams.items():
        if upstream.tls is not None:
            own: Path = ("upstreams", name, "tls")
            check.upstream(own if loaded.tree.node(own) is not None else ("defaults", "upstream", "tls"), upstream.tls)
    return check.problems


class _Check:
    """Collects problems."""

    def __init__(self, loaded: Loaded, now: float, pairs: Pairs) -> None:
        self._told: dict[Problem, None] = {}
        self._loaded = loaded
        self._now = now
        self._pairs = pairs

    @property
    def problems(self) -> list[Problem]:
        """In the order in which they came up; each once, as upstreams may have it from the same defaults."""
        return list(self._told)

    def _say(self, path: Path, code: str, message: str, hint: str = "", *, error: bool = False) -> None:
        self._told[self._loaded.problem_at(path, code, message, hint, error=error)] = None

    # --- listeners ----------------------------------------------------------------------------------------

    def listener(self, path: Path, wish: ListenerTls) -> None:
        taken: dict[str, dict[str, Certificate]] = {}
        for place, certificate in enumerate(wish.certificates or ()):
            at = (*path, "certificates", place)
            pair = self._pair(at, certificate.cert, certificate.key)
            if certificate.client is not None:
                self._client(at, certificate.client)
            if pair is not None:
                self._names(at, certificate, pair)
                self._shadows(at, certificate, pair, taken)
                self._staple(at, wish, certificate.cert, pair)

    def _pair(self, path: Path, cert: str, key: str) -> Pair | None:
        """The pair, if it can be used; and whatever is doubtful about it."""
        try:
            pair = self._pairs.load(CertificateFiles(cert, key))
        except CertificateError as error:
            which = "key" if error.path == key and error.path != cert else "cert"
            self._say((*path, which), "certificate", str(error), error=True)
            return None
        exposed = exposure(key)
        if exposed:
            self._say((*path, "key"), "key-readable", f"{exposed} {key}", f"chmod 600 {key}")
        self._dates((*path, "cert"), cert, pair)
        if len(pair.chain) > 1 and pair.chain[1].subject != pair.leaf.issuer:
            message = f"the second certificate in {cert} is not the one above the first"
            self._say((*path, "cert"), "certificate-chain", message, "first the server's own, then upward")
        return pair

    def _dates(self, path: Path, cert: str, pair: Pair) -> None:
        left = days_left(pair.not_after, self._now)
        begin = pair.leaf.not_valid_before_utc
        if begin > datetime.fromtimestamp(self._now, UTC):
            self._say(path, "certificate-early", f"{cert} is not valid before {begin:%Y-%m-%d}")
        elif left < 0:
            self._say(path, "certificate-expired", f"{cert} has expired on {pair.not_after:%Y-%m-%d}", "renew it")
        elif left < limits.CERTIFICATE_WARN_DAYS:
            self._say(path, "certificate-expires", f"{cert} expires on {pair.not_after:%Y-%m-%d}", "renew it")

    def _client(self, path: Path, wish: ClientCertificates) -> None:
        self._believed((*path, "client"), wish.ca, wish.crl, "every client with a certificate is refused")

    def _names(self, path: Path, wish: Certificate, pair: Pair) -> None:
        if wish.names is None and not pair.names:
            message = f"{wish.cert} holds no host name: nobody who asks for one gets it"
            hint = "have it issued for the names of its hosts (DNS), or write `names`"
            self._say((*path, "cert"), "certificate-nameless", message, hint)
        for name in wish.names or ():
            above = "*." + name.partition(".")[2]
            if name not in pair.names and above not in pair.names:
                message = f"{wish.cert} is not for {name}: clients will refuse it"
                self._say((*path, "names"), "certificate-name", message, f"it is for {', '.join(pair.names[:5])}")

    def _shadows(self, path: Path, wish: Certificate, pair: Pair, taken: dict[str, dict[str, Certificate]]) -> None:
        """Whether a name has a certificate already, with the same kind of key or with other wishes about clients.

        @param taken: by name and kind of key.
        """
        for name in wish.names or pair.names:
            others = taken.setdefault(name, {})
            for kind, other in others.items():
                if _asks(other) != _asks(wish):
                    message = f"{name} has two certificates that ask clients for different things"
                    self._say(path, "certificate-twice", message, "give both the same `client`", error=True)
                elif kind == pair.kind:
                    message = f"{name} has an {kind} certificate already, {other.cert}: this one is never used for it"
                    self._say(path, "certificate-twice", message)
            others.setdefault(pair.kind, wish)

    def _staple(self, path: Path, wish: ListenerTls, cert: str, pair: Pair) -> None:
        """Whether clients can get the OCSP response that a certificate makes them want."""
        named = tuple(filter(None, responders_in(pair.leaf)))
        url = first_askable(named)
        if url and pair.issuer is None and wish.staple == "auto":
            why, hint = "its file lacks the certificate of its issuer", "append that, or write `staple: off`"
        elif not url and named:
            words = ", ".join(map(repr, named))
            why, hint = f"the responder that it names cannot be asked, {words}", "have it issued anew"
        elif not url:
            why, hint = "it names nobody who gives one", "have it issued anew without must-staple"
        else:
            why, hint = "", "remove `staple: off`"
        if must_staple(pair.leaf) and (why or wish.staple == "off"):
            message = f"clients may refuse {cert}: it needs an OCSP response, and {why or '`staple: off` forbids that'}"
            self._say((*path, "cert"), "must-staple", message, hint)
        elif why and wish.staple == "auto" and named:
            self._say((*path, "cert"), "staple", f"{cert} gets no OCSP responses: {why}", hint)

    # --- both ends ----------------------------------------------------------------------------------------

    def _believed(self, path: Path, ca: str | None, crl: str | None, whom: str) -> None:
        """Who is believed, and how long anybody is.

        @param path: of what has the keys `ca` and `crl`.
        """
        for key, files in (("ca", (ca, None)), ("crl", (None, crl))):
            try:
                found = list(terms(*files))
            except CertificateError as error:
                self._say((*path, key), "certificate", str(error), error=True)
                continue
            for term in found:
                if term.end <= self._now:
                    self._say((*path, key), "certificate-expired", f"{term.what} has expired: {whom}", "renew it")
                elif term.is_near(self._now):
                    message = f"{term.what} will have expired by {_date(term.end)}: then {whom}"
                    self._say((*path, key), "certificate-expires", message, "renew it")

    # --- upstreams ----------------------------------------------------------------------------------------

    def upstream(self, path: Path, wish: UpstreamTls) -> None:
        if wish.cert is not None and wish.key is not None:
            self._pair(path, wish.cert, wish.key)
        self._believed(path, wish.ca, wish.crl, "every server is refused")
        if not wish.verify:
            message = "the servers are not verified: whoever is in between can read and change everything"
            self._say((*path, "verify"), "tls-unverified", message, "name their authority with `ca`")


def _date(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M}"


def _asks(wish: Certificate) -> ClientCertificates | None:
    return wish.client if wish.asks else None


def warning_codes() -> Iterator[str]:
    """Every code that may come up, for the page that explains them."""
    yield from ("certificate", "key-readable", "certificate-chain", "certificate-early", "certificate-expired")
    yield from ("certificate-expires", "certificate-name", "certificate-twice", "tls-unverified")
    yield from ("must-staple", "staple", "certificate-nameless")
