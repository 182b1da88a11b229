"""
`twisted.web.proxy` as a reverse proxy.

Arguments: port, port of the origin, number of routes, access log; for TLS a certificate and its key.
"""

import sys
from pathlib import Path

from twisted.internet import reactor  # noqa: TID251  a program of its own, on the reactor Twisted installs
from twisted.internet.ssl import CertificateOptions, PrivateCertificate
from twisted.web.proxy import ReverseProxyResource
from twisted.web.resource import Resource
from twisted.web.server import Site


def tls_options(cert: str, key: str) -> CertificateOptions:
    pair = PrivateCertificate.loadPEM(Path(key).read_text() + Path(cert).read_text())
    private, certificate = pair.privateKey.original, pair.original
    # Without these two it forgets every session.
    return CertificateOptions(private, certificate, enableSessions=True, enableSessionTickets=True)


def main(port: int, origin_port: int, routes: int, access_log: str, *pair: str) -> None:
    if routes:
        root = Resource()
        for number in range(routes):
            segment = b"s%05d" % number
            root.putChild(segment, ReverseProxyResource("127.0.0.1", origin_port, b"/" + segment))
    else:
        root = ReverseProxyResource("127.0.0.1", origin_port, b"")
    site = Site(root, logPath=access_log.encode())
    if pair:
        reactor.listenSSL(port, site, tls_options(*pair), backlog=4096, interface="127.0.0.1")
    else:
        reactor.listenTCP(port, site, backlog=4096, interface="127.0.0.1")
    reactor.run()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:])
