"""Which responses may be quiet."""

from __future__ import annotations

import pytest

from proxy.message import Deadlines, Fields
from proxy.policy.streams import while_streaming


@pytest.mark.parametrize(
    "kind",
    [b"text/event-stream", b"Text/Event-Stream; charset=utf-8", b"application/grpc", b"application/grpc-web+proto"],
)
def test_streams_have_a_deadline_of_their_own(kind: bytes) -> None:
    fields = Fields([(b"content-type", kind)])
    assert while_streaming(fields, Deadlines()) == Deadlines(response_idle=0.0)
    assert while_streaming(fields, Deadlines(response_idle=7.0, stream_idle=7.0)).response_idle == 7.0


@pytest.mark.parametrize("pairs", [[], [(b"Content-Type", b"text/html")], [(b"Accept", b"text/event-stream")]])
def test_all_others_keep_theirs(pairs: list[tuple[bytes, bytes]]) -> None:
    deadlines = Deadlines()
    assert while_streaming(Fields(pairs), deadlines) is deadlines
