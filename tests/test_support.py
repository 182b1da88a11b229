"""The shared pieces of `tests/support/` do what the tests that build on them believe."""

import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.nginx import Nginx
from tests.support.origin import OriginConnection, ScriptedOrigin, answering
from tests.support.ports import free_port
from tests.support.processes import ProcessError, ProcessPark
from tests.support.raw import ClosedEarlyError, RawClient
from tests.support.wrk import Report, read_report
from tests.support.yardstick import slowness

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def test_free_ports_are_all_different() -> None:
    ports = {free_port() for _ in range(50)}
    assert len(ports) == 50


@pytest.mark.peers
def test_nginx_serves_files_and_answers(nginx: Nginx) -> None:
    path = nginx.put("a/b.txt", b"content")
    with RawClient(nginx.port) as client:
        answer = client.get(path.encode())
        assert (answer.status, answer.body) == (200, b"content")
        assert answer.field(b"content-TYPE") == b"text/plain"
        assert client.request(b"POST", b"/upload", body=b"x" * 100).body == b"taken\n"
        assert client.request(b"HEAD", b"/").body == b""
        answer = client.get(b"/forwarded", b"X-Forwarded-For: 1.2.3.4", b"Via: 1.1 x")
        assert answer.body == b"for=1.2.3.4 proto= host= via=1.1 x\n"


def test_an_origin_answers_by_script_and_remembers(
    run_origin: Callable[[Callable[[OriginConnection], None]], ScriptedOrigin],
) -> None:
    origin = run_origin(answering(OK))
    with RawClient(origin.port) as client:
        assert client.get(b"/1").body == client.get(b"/2").body == b"ok"
    assert re.findall(rb"GET (\S+)", origin.connections[0].received) == [b"/1", b"/2"]


def test_an_origin_reports_the_failure_of_its_conversation() -> None:
    def fail(connection: OriginConnection) -> None:
        raise ValueError("wrong request")

    origin = ScriptedOrigin(fail)
    with RawClient(origin.port) as client:
        assert client.is_closed()
    with pytest.raises(ValueError, match="wrong request"):
        origin.close()


def test_chunks_and_trailers_are_read() -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunked = head + b"2;x=y\r\nab\r\n1\r\nc\r\n0\r\nT: 1\r\n\r\n"
    with ScriptedOrigin(answering(chunked)) as origin, RawClient(origin.port) as client:
        assert client.get(b"/").body == b"abc"
        assert client.get(b"/").body == b"abc"


def test_a_body_cut_short_is_an_error() -> None:
    def cut(connection: OriginConnection) -> None:
        connection.read_head()
        connection.send(OK[:-1])

    with ScriptedOrigin(cut) as origin, RawClient(origin.port) as client:
        with pytest.raises(ClosedEarlyError) as caught:
            client.get(b"/")
        assert caught.value.received == b"o"


def test_a_program_that_ends_early_is_reported_with_its_output(park: ProcessPark) -> None:
    process = park.start(sys.executable, "-c", "raise SystemExit('no configuration')")
    with pytest.raises(ProcessError, match="no configuration"):
        process.wait_for_port(free_port())
    assert process.stop() == 1


def test_a_traceback_in_the_log_is_found(park: ProcessPark) -> None:
    process = park.start(sys.executable, "-c", "1 / 0")
    process.wait_for_exit()
    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        process.assert_no_traceback()


def test_programs_are_ended_with_the_test(tmp_path: Path) -> None:
    park = ProcessPark(tmp_path)
    process = park.start(sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)")
    process.wait_for_text("^up$")
    assert process.running
    assert process.rss_kib() > 1000
    assert sum(process.cpu_seconds()) < 5
    park.close()
    assert process.stop() == -signal.SIGTERM


def test_no_machine_is_faster_than_a_quiet_one() -> None:
    assert 1 <= slowness(3) < 1000


def test_the_threads_of_a_process_have_their_own_cpu_time(park: ProcessPark) -> None:
    process = park.start(
        sys.executable, "-c", "import time; sum(range(10**6)); print('done', flush=True); time.sleep(60)"
    )
    process.wait_for_text("done")
    seconds = process.thread_seconds()
    assert list(seconds) == [process.pid]
    assert 0 < seconds[process.pid] < 30


WRK = """\
Running 1s test @ http://127.0.0.1:9
  1 threads and 2 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency    22.28ms    5.01ms  40.21ms   90.00%
    Req/Sec    90.00     10.00    99.00     80.00%
  Latency Distribution
     50%   21.00ms
     99%    1.50s
  90 requests in 1.00s, 9.00KB read
"""


def test_what_wrk_counts_is_read_and_what_fails_by_its_kind() -> None:
    assert read_report(WRK) == Report(90, {}, 1500.0)
    errors = "  Socket errors: connect 0, read 3, write 0, timeout 1\n  Non-2xx or 3xx responses: 7\n"
    assert read_report(WRK + errors) == Report(90, {"read": 3, "timeout": 1, "status": 7}, 1500.0)
    with pytest.raises(AssertionError):
        read_report("unable to connect")
