"""The access log: one line an exchange, the same JSON whichever way it was made."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from twisted.internet.task import Clock

from proxy.admin import access_log
from proxy.admin.access_log import FLUSH_SECONDS, AccessLog, line_of
from proxy.observe import ExchangeRecord


def a_record(target: bytes = b"/a?b=c", reason: str = "") -> ExchangeRecord:
    """An exchange that went through an upstream."""
    record = ExchangeRecord(started=1_790_000_000.25, began=100.0)
    record.method, record.host, record.target = b"GET", b"example.com", target
    record.peer = record.client = "192.0.2.1"
    record.route, record.upstream, record.server = 'a "quoted" route', "api", "http://127.0.0.1:9001"
    record.sent_at, record.head_at, record.ended = 100.001, 100.003, 100.004
    record.status, record.bytes_out, record.attempts, record.request_id = 200, 1024, 1, b"id-1"
    record.reason = reason
    return record


def test_a_line_says_what_happened_and_how_long_it_took() -> None:
    line = line_of(a_record())
    assert line.endswith(b"}\n") and line.count(b"\n") == 1
    said = json.loads(line)
    assert said["time"] == "2026-09-21T14:13:20.250Z"
    assert (said["status"], said["bytes_out"], said["ms"]) == (200, 1024, 4.0)
    assert (said["queue_ms"], said["upstream_ms"], said["reused"]) == (1.0, 2.0, False)
    assert said["route"] == 'a "quoted" route'


def test_both_ways_to_make_a_line_agree() -> None:
    record = a_record()
    assert json.loads(line_of(record)) == json.loads(access_log._line_with_care(record))


@pytest.mark.parametrize("target", [b'/a"b', b"/a\\b", b"/\xc3\xa9", b"/\x01"])
def test_nothing_in_a_target_can_end_its_string(target: bytes) -> None:
    assert json.loads(line_of(a_record(target)))["target"] == target.decode("latin-1")


def test_a_failure_has_its_reason() -> None:
    said = json.loads(line_of(a_record(reason="upstream.connect.refused")))
    assert said["reason"] == "upstream.connect.refused"


def test_lines_are_written_together_and_soon(tmp_path: Path) -> None:
    clock, path = Clock(), tmp_path / "access.log"
    log = AccessLog(clock, str(path))
    log.observe(a_record())
    log.observe(a_record())
    assert path.read_bytes() == b""
    clock.advance(FLUSH_SECONDS)
    assert path.read_bytes().count(b"\n") == 2
    log.close()
    assert not clock.getDelayedCalls()


def test_reopening_follows_a_rotation(tmp_path: Path) -> None:
    clock, path = Clock(), tmp_path / "access.log"
    log = AccessLog(clock, str(path))
    log.observe(a_record())
    path.rename(tmp_path / "access.log.1")
    log.reopen()
    log.observe(a_record())
    log.close()
    assert (tmp_path / "access.log.1").read_bytes().count(b"\n") == 1
    assert path.read_bytes().count(b"\n") == 1


def test_a_disk_that_takes_nothing_costs_lines_not_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = AccessLog(Clock(), str(tmp_path / "access.log"))

    def blocked(descriptor: int, data: bytes) -> int:
        raise BlockingIOError

    monkeypatch.setattr("os.write", blocked)
    monkeypatch.setattr(access_log, "PENDING_BYTES", 1000)
    for _ in range(100):
        log.observe(a_record())
    assert log._dropped > 90
    assert log._size <= 1000
