"""Everything that has a limit, on one page: the unit is in the name, the reason above it.

These are the defaults; what a configuration may change is named there with the same words.
"""

from __future__ import annotations

KIB = 1024
MIB = 1024 * KIB

# --- sizes of what a client sends -------------------------------------------------------------------------
# HAProxy, Caddy and Twisted stop near 16 KiB; browsers' cookies stay below.
REQUEST_HEAD_BYTES = 16 * KIB
# The length that nginx and Apache take.
REQUEST_LINE_BYTES = 8 * KIB
# Envoy and Apache: 100. More only serves floods of tiny fields.
REQUEST_FIELDS = 100
# nginx's 1 MiB surprises people who upload; without a limit one client fills an application's disk.
REQUEST_BODY_BYTES = 10 * MIB
# Robustness of RFC 9112 section 2.2: some clients send CRLF after a body. One is enough.
LEADING_EMPTY_LINES = 1
# `Connection: a, b, c, ...`: each option costs a look-up.
CONNECTION_OPTIONS = 32

# --- sizes of what a server sends -------------------------------------------------------------------------
# Below this, nginx's 4 KiB default is the best known 502 of all.
RESPONSE_HEAD_BYTES = 64 * KIB
RESPONSE_FIELDS = 500
# 100 and 103 before the final response; a server that sends more is broken.
INTERIM_RESPONSES = 16

# --- chunked bodies, both directions ----------------------------------------------------------------------
# Sixteen hexadecimal digits are 64 bits; the rest of the line is extensions, which nobody uses.
CHUNK_SIZE_DIGITS = 16
CHUNK_LINE_BYTES = 256
# CVE-2023-39326: extensions must not make a message many times larger than its body.
CHUNK_EXTENSION_BYTES = 16 * KIB
TRAILER_BYTES = 8 * KIB
TRAILER_FIELDS = 32

# --- memory -----------------------------------------------------------------------------------------------
# What one direction of one exchange may hold: a window.
WINDOW_BYTES = 64 * KIB
# So much of a body that has still to come goes through a pipe of the kernel, where it can: making one takes 25 µs.
PIPED_BYTES = 256 * KIB
# A small response waits this long for its first body bytes to leave in the same write.
REPLAY_BYTES = 64 * KIB
# A body for a resource that is not ours is collected whole before the resource sees it.
RESOURCE_BODY_BYTES = 1 * MIB

# New objects before somebody looks for garbage among them: some MiB at most.
GARBAGE_COUNT = 20_000

# --- times ------------------------------------------------------------------------------------------------
HEAD_SECONDS = 10.0
BODY_IDLE_SECONDS = 60.0
WRITE_STALL_SECONDS = 60.0
# Longer than the 60 s after which cloud load balancers in front of us forget a connection.
KEEP_ALIVE_SECONDS = 75.0
CONNECT_SECONDS = 5.0
RESPONSE_HEAD_SECONDS = 60.0
RESPONSE_IDLE_SECONDS = 60.0
TUNNEL_IDLE_SECONDS = 3600.0
# Below the idle timeout of the usual application servers (gunicorn 2 s, uvicorn and Node 5 s).
UPSTREAM_IDLE_SECONDS = 4.0
UPSTREAM_IDLE_MAX_SECONDS = 60.0
# How long idle connections beyond their number are kept: a busy moment needs them again, a quiet one does not.
UPSTREAM_SURPLUS_SECONDS = 0.5
QUEUE_SECONDS = 5.0
# The usual life of a session that nobody uses (Tomcat: 30 min), twice.
STICKY_SESSION_SECONDS = 3600.0
DRAIN_SECONDS = 30.0
# How long the answer to a client that sends nothing more may take, and each further piece of it: it may be gone.
HALF_CLOSED_SECONDS = 2.0
# How long a refused client may take to read its answer before the connection is cut.
LINGER_SECONDS = 2.0

# --- health of servers ------------------------------------------------------------------------------------
# Envoy's and HAProxy's intervals are shorter, Caddy's and Traefik's longer: out after half a minute at the latest.
PROBE_SECONDS = 10.0
PROBE_TIMEOUT_SECONDS = 5.0
PROBE_FALL = 3
PROBE_RISE = 2
# nginx's and Traefik's single failure makes servers flap; Envoy's five do not.
EJECTION_FAILURES = 5
EJECTION_SECONDS = 10.0
EJECTION_LONGEST_SECONDS = 300.0
EJECTION_SHARE = 0.5
BREAKER_RATIO = 0.5
BREAKER_MINIMUM = 20
BREAKER_WINDOW_SECONDS = 10.0
BREAKER_OPEN_SECONDS = 10.0
BREAKER_TRIALS = 3

# --- names ------------------------------------------------------------------------------------------------
# Some name servers say 0 s, which would be a lookup for each request, and Docker's says 10 min, which is too long.
NAME_SHORTEST_SECONDS = 5.0
NAME_LONGEST_SECONDS = 60.0
NAME_LOOKUP_SECONDS = 5.0
# RFC 8305 section 8: between 100 ms and 2 s.
NAME_FAMILY_SECONDS = 0.25
# A record set that is larger than this does not describe servers of one upstream.
NAME_ADDRESSES = 256

# --- TLS --------------------------------------------------------------------------------------------------
# OpenSSL's own limit is 128 KiB; with a hybrid key share and many protocols a hello has 2 KiB.
HELLO_BYTES = 16 * KIB
# Clients that cut their hello, to get it past something on the way, make two or three of it.
HELLO_RECORDS = 64
TLS_HANDSHAKE_SECONDS = 10.0
# How long a peer that was told of the end may take to close as well.
TLS_CLOSE_SECONDS = 2.0
# RFC 8446 section 4.6.1 allows tickets of a week; what one key protects should be less.
TLS_SESSION_SECONDS = 7200.0
TLS_TICKET_SECONDS = 12 * 3600.0
# Sessions that are kept for each upstream: a server gives two with every handshake, for one use each.
TLS_CLIENT_SESSIONS = 4
CERTIFICATE_FILE_BYTES = 4 * MIB
CERTIFICATE_LOOK_SECONDS = 5.0
CERTIFICATE_WARN_SECONDS = 86400.0
# Where the folder of our own authority cannot be written: there are four months for it.
INTERNAL_RETRY_SECONDS = 3600.0
# Authorities that renew by themselves do so with a third of a certificate's life left: 30 days of 90.
CERTIFICATE_WARN_DAYS = 14
# Responders of public authorities answer in a tenth of a second, and their answers have 500 bytes to 3 KiB.
OCSP_SECONDS = 10.0
OCSP_RESPONSE_BYTES = 64 * KIB
# Who cannot be asked now is asked again soon, then less and less often.
OCSP_RETRY_SECONDS = 10.0
OCSP_RETRY_LONGEST_SECONDS = 3600.0
# Answers count for days: who asks once a day learns of a revocation within one.
OCSP_RENEW_SECONDS = 86400.0
# An answer that does not say until when it counts (RFC 6960 section 4.2.2.1).
OCSP_UNDATED_SECONDS = 86400.0
# Answers that are in use are renewed every day: a stored one that was not for so long belongs to nobody.
OCSP_SHELF_SECONDS = 30 * 86400.0
# By how much the clock of a responder may be ahead of ours.
OCSP_SKEW_SECONDS = 300.0
# Thousands of certificates of one authority do not all ask at once.
OCSP_AT_ONCE = 4

# --- certificates by ACME ---------------------------------------------------------------------------------
# Of one request to a directory, and of an order from its beginning to its certificate: authorities take a few seconds,
# a busy one minutes.
ACME_ANSWER_SECONDS = 30.0
ACME_ORDER_SECONDS = 600.0
ACME_ANSWER_BYTES = 1 * MIB
# A nonce may be refused for no fault of ours (RFC 8555 section 6.5); Pebble refuses one in twenty.
ACME_NONCE_TRIES = 10
# Between two questions whether an order has moved, where the authority does not say.
ACME_POLL_SECONDS = 1.0
ACME_POLL_LONGEST_SECONDS = 15.0
# Orders under way at one directory: more is a burst that authorities limit.
ACME_ORDERS = 4
# After a failure: Let's Encrypt allows five failed proofs an hour for a name. What never reached the directory, or was
# its own fault, is tried sooner.
ACME_UNREACHED_SECONDS = 60.0
ACME_REFUSED_SECONDS = 600.0
ACME_RETRY_LONGEST_SECONDS = 12 * 3600.0
# The longest of Let's Encrypt's limits is a week; a clock that is wrong by years must not stop us for years.
ACME_RETRY_AFTER_SECONDS = 8 * 86400.0
# How often an authority is asked when a certificate should be renewed (RFC 9773 section 4.3), where it does not say.
ACME_INFO_SECONDS = 6 * 3600.0
ACME_INFO_SHORTEST_SECONDS = 60.0
# Somebody may remove a stored certificate, or set the clock.
ACME_LOOK_SECONDS = 60.0
# While another process has an order for the same certificate.
ACME_LOCKED_SECONDS = 15.0
# Answers to challenges that a process left behind when it was killed.
ACME_PROOF_SECONDS = 86400.0

# --- counts -----------------------------------------------------------------------------------------------
REQUESTS_PER_CONNECTION = 1000
UPSTREAM_CONNECTIONS = 256
UPSTREAM_IDLE_CONNECTIONS = 32
UPSTREAM_QUEUE = 512
# Sessions of its servers that an upstream remembers, some 250 bytes each.
STICKY_SESSION_COUNT = 100_000
RETRIES = 1
# Envoy's numbers: retries are a fifth of what is going on at most, but three are always possible.
RETRY_SHARE = 0.2
RETRY_MINIMUM = 3
LISTEN_BACKLOG = 1024

# --- configuration files ----------------------------------------------------------------------------------
CONFIG_FILE_BYTES = 64 * MIB
CONFIG_DEPTH = 64
CONFIG_ALIASES = 10_000
