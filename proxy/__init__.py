"""The map. Imports only go down, and siblings (`|`) do not know each other.

    8  the house    cli/  tap.py  service.py        commands, the plugin, start and stop
                    explain/                        what would happen to a request, and why
                    assemble/                       a configuration becomes every object, on one page
    7  the tree     resources/ | admin/             what answers a route; what tells about all of it
    6  the doors    downstream/ | upstream/ | gates/    clients; servers; what a route does in between
                    acme/                           certificates, ordered and renewed
    5  the hands    reactor/  tls/  flow/  alarm.py     the first floor that may import Twisted
    4  judgement    routing/ | balance/ | health/ | policy/     pure: `now` is an argument
    3  wire         wire/                           bytes become messages and back, without IO
    2  wishes       config/                         YAML becomes a checked value, or problems with line and column
    1  nouns        message/  observe.py            heads, fields, bodies, the exchange; the record of one
    0  words        errors.py  limits.py            every reason code; every limit

One request goes through the rooms like this:

    downstream/channel.py       bytes are a RequestHead: an Exchange begins
    downstream/admission.py     who asks, for which path; refused at the door
    resources/tree.py           the root asks routing/ once; the node of the route has the exchange
    gates/                      inward, in the order of the configuration
    resources/forward.py        the one loop: try, judge, perhaps try again
    upstream/pool.py            balance/ chooses a server; its ProxyClientFactory lends a connection or dials
    upstream/connection.py      the request out, the response head in; then its body is a stream
    gates/                      outward
    downstream/response_writer.py   the response out, never more than a window of it in memory
    observe.py                  one ExchangeRecord, to the access log and all who want it

The reactor comes in by four doors only: data (`dataReceived` of the channel and the connection), time (`alarm.py`, the
prober), accepted or made (`buildProtocol` of `ProxySite` and `ProxyClientFactory`), dropped (`connectionLost`).

docs/architecture.md draws this; docs/life-of-a-request.md walks it, room by room.
"""
