"""Noise for both HTTP/1.1 readers, guided by coverage.

What must hold whatever the bytes are:

- a reader gives events or raises a ProxyError, nothing else, and always comes to a stop;
- the same bytes cut elsewhere give the same events and the same reason;
- what was understood of a request can be written, and what is written is understood as the same request.

Without atheris there is nothing to do, and this says so.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

try:
    import atheris
except ImportError:
    sys.exit("atheris is not installed: nothing was fuzzed (pip install atheris)")

with atheris.instrument_imports(include=["proxy"]):
    from proxy.errors import ProxyError, Reason
    from proxy.message import RequestHead, ResponseHead
    from proxy.wire import CHUNKED, End, RequestReader, ResponseReader, encode_chunk, encode_last_chunk, encode_request

Event = RequestHead | ResponseHead | bytes | End

# A client, or a server that answers a request with this method.
SPEAKERS = (None, b"GET", b"HEAD")

WORDS = (
    *(b"\r\n", b"\r\n\r\n", b"\r", b"\n", b"\0", b" ", b"\t", b": ", b",", b";", b'"', b"%", b"#", b"?", b"*"),
    *(
        b"GET ",
        b"OPTIONS ",
        b"CONNECT ",
        b"http://",
        b"https://a",
        b" HTTP/1.1\r\n",
        b" HTTP/1.0\r\n",
        b" HTTP/2.0\r\n",
    ),
    *(b"HTTP/1.1 200 OK\r\n", b"HTTP/1.0 204\r\n", b"HTTP/1.1 100 \r\n", b"HTTP/1.1 101 \r\n", b"HTTP/1.1 304 \r\n"),
    *(b"Host: a\r\n", b"[::1]", b":80", b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"gzip, "),
    *(
        b"Connection: close\r\n",
        b"Connection: keep-alive\r\n",
        b"X: 1 \r\n",
        b"5\r\nhello\r\n",
        b"0\r\n",
        b";a=b",
        b';a="b"',
    ),
)
SEEDS = (
    b"GET /t?q HTTP/1.1\r\nHost: a\r\nX: 1 \r\n\r\n",
    b"\r\nPOST http://[::1]:80/t HTTP/1.1\r\nhost: a:80\r\nContent-Length: 5\r\n\r\nhello",
    b"POST /%41 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: x\r\n\r\n"
    b'5;a="b"\r\nhello\r\n0\r\nX: 1\r\n\r\nGET / HTTP/1.0\r\n\r\n',
    b"OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close, keep-alive\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nhello",
    b"HTTP/1.0 200\r\nConnection: keep-alive\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    b"HTTP/1.1 101 X\r\nUpgrade: x\r\n\r\n\0\0",
)


def hear(reader: RequestReader | ResponseReader, pieces: list[bytes]) -> tuple[list[Event], Reason | None]:
    """All events, pieces of a body joined, and why the reader gave up."""
    heard: list[Event] = []
    try:
        for piece in pieces:
            reader.feed(piece)
            while True:
                event = reader.next_event()
                if event is None:
                    if not isinstance(reader, RequestReader) or not (
                        reader.complete and reader.keep_alive and reader.buffered
                    ):
                        break
                    reader.start_next()
                elif isinstance(event, bytes) and heard and isinstance(heard[-1], bytes):
                    heard[-1] += event
                else:
                    heard.append(event)
        if isinstance(reader, ResponseReader) and (end := reader.feed_eof()) is not None:
            heard.append(end)
    except ProxyError as error:
        return heard, error.reason
    return heard, None


def response_reader(method: bytes) -> ResponseReader:
    reader = ResponseReader()
    reader.expect(method)
    return reader


def check_written(raw: bytes) -> None:
    """The first request in `raw`, if it is one: written and read, it is the same."""
    reader = RequestReader()
    reader.feed(raw)
    try:
        events = list(iter(reader.next_event, None))
    except ProxyError:
        return
    if not reader.complete:
        return
    head = events[0]
    assert isinstance(head, RequestHead)
    chunked = reader.body_length == CHUNKED
    written = encode_request(head.method, head.target, head.fields)
    for event in events[1:]:
        if isinstance(event, bytes):
            written += encode_chunk(event) if chunked else event
        elif isinstance(event, End) and chunked:
            written += encode_last_chunk(event.trailers)
    again, reason = hear(RequestReader(), [written])
    first, _ = hear(RequestReader(), [raw[: len(raw) - reader.buffered]])
    if head.minor == 1:
        assert (again, reason) == (first, None), (again, first, reason)


def test_one_input(data: bytes) -> None:
    """The first byte says who speaks, the second how long the pieces are, the rest is said."""
    if len(data) < 2:
        return
    method = SPEAKERS[data[0] % len(SPEAKERS)]
    step = data[1] % 40 + 1
    raw = data[2:]
    pieces = [raw[at : at + step] for at in range(0, len(raw), step)]
    if method is None:
        assert hear(RequestReader(), [raw]) == hear(RequestReader(), pieces)
        check_written(raw)
    else:
        assert hear(response_reader(method), [raw]) == hear(response_reader(method), pieces)


def main() -> None:
    with TemporaryDirectory() as place:
        corpus, words = Path(place) / "corpus", Path(place) / "words"
        corpus.mkdir()
        for number, seed in enumerate(SEEDS):
            for speaker in range(1, len(SPEAKERS)) if seed.startswith(b"HTTP") else (0,):
                (corpus / f"{number}-{speaker}").write_bytes(bytes((speaker, 39)) + seed)
        escaped = ("".join(f"\\x{byte:02x}" for byte in word) for word in WORDS)
        words.write_text("".join(f'"{word}"\n' for word in escaped))
        atheris.Setup([*sys.argv, f"-dict={words}", str(corpus)], test_one_input)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
