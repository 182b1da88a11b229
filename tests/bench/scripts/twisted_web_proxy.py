"""`twisted.web.proxy` as a reverse proxy. Arguments: port, port of the origin, number of routes, access log."""

import sys

from twisted.internet import reactor  # noqa: TID251  a program of its own, on the reactor Twisted installs
from twisted.web.proxy import ReverseProxyResource
from twisted.web.resource import Resource
from twisted.web.server import Site


def main(port: int, origin_port: int, routes: int, access_log: str) -> None:
    if routes:
        root = Resource()
        for number in range(routes):
            segment = b"s%05d" % number
            root.putChild(segment, ReverseProxyResource("127.0.0.1", origin_port, b"/" + segment))
    else:
        root = ReverseProxyResource("127.0.0.1", origin_port, b"")
    reactor.listenTCP(port, Site(root, logPath=access_log.encode()), backlog=4096, interface="127.0.0.1")
    reactor.run()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
