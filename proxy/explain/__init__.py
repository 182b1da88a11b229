"""What would happen, and why: for people who ask, for route tests, and before a configuration is accepted.

- `question.py`    a request that somebody asks about, read as a client's would be
- `handshake.py`   the TLS handshake before it, where clients are asked for certificates
- `journey.py`     its way through everything that judges it
- `report.py`      what is told about that way, with places in the configuration
- `rehearse.py`    the route tests of a configuration, each sent on its way
- `accept.py`      all that has to hold before a configuration may serve
"""
