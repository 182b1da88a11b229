"""Certificates from an authority that speaks ACME (RFC 8555): ordered, kept, renewed, and replaced.

Words and decisions, which know neither clock nor network:

- `words.py`        what goes to an authority and comes back; how it can fail
- `jws.py`          the account's key, and the signature around every request
- `schedule.py`     when to renew, when to try again
- `keys.py`         keys, requests for certificates, and the certificates that prove something

One conversation, straight-line coroutines that are given a way to `fetch` and to `pause`:

- `session.py`      signed requests: nonces, polling, problems
- `account.py`      the account, found or made
- `order.py`        from an order to its certificate
- `renewal_info.py` when the authority wants to see us again (RFC 9773)

and what lives:

- `storage.py`      what is kept, and `folder.py`, which keeps it on disk
- `courier.py`      requests over HTTPS
- `proofs.py`       the answers to http-01 and tls-alpn-01
- `authority.py`    one directory, and our account there
- `caretaker.py`    one certificate: looked after for as long as the proxy runs
- `office.py`       all of them, for one configuration; `check.py` says what is wrong with it
"""
