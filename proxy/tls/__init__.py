"""TLS at both ends, on pyOpenSSL.

The way of a connection from a client, and who knows what:

- `hello.py`         which name and protocols it asks for, before OpenSSL sees a byte
- `table.py`         whose certificate that name gets
- `server.py`        one connection: hello, handshake, then the site's own protocol on top
- `cipher.py`        its records opened and sealed, by the shortest way into OpenSSL
- `stream.py`        the transport that the protocol on top sees, of both ends
- `contexts.py`      how OpenSSL is set up, from `certificates.py` (files) and `policies.py` (versions, ciphers)
- `keyring.py`       the certificates of one listener, renewed while they are in use
- `terms.py`         how long those count by which peers are judged
- `stapling.py`      their OCSP responses, asked for by `responder.py`, judged by `ocsp.py`, kept by `shelf.py`
- `guard.py`         hosts that need a certificate cannot be reached past their own handshake
- `reach.py`         nor those that share a route with them, and that no certificate names
- `forwarded.py`     what the upstream is told of a client's certificate

and outward `client.py`, which verifies servers: who they are is said by `identity.py`. `internal.py` is a certificate
authority for development.
"""
