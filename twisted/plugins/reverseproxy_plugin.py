# What `twistd` learns about this package: one command and one reactor, both named by strings, so that
# every other `twistd` command pays nothing for them.
from twisted.application.reactors import Reactor
from twisted.application.service import ServiceMaker

reverseproxy = ServiceMaker("Reverse proxy", "proxy.tap", "An HTTP reverse proxy.", "reverseproxy")
uvloop = Reactor("uvloop", "proxy.reactor", "uvloop's own streams behind Twisted's interfaces.")
