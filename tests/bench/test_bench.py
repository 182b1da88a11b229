"""The parts of the bench that only compute: reports read, figures divided, goals judged, tables and charts drawn."""

import socket
import ssl
import threading
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from tests.bench import chart, goals, measure, publish, rows, table, websocket
from tests.bench.__main__ import parse_arguments
from tests.bench.instructions import bytecodes, parse_collected
from tests.bench.load import TLS_NAME, Load, command, parse_report, run
from tests.bench.machine import BenchError
from tests.bench.origin import parse_stub_status
from tests.bench.peers import OURS, PEERS, Caddy, Envoy, HAProxy, Nginx, Peer, Scene, ThisProxy, Traefik
from tests.bench.profile import fold, report_stacks
from tests.bench.results import Idle, Outcome, Report, Round, RowResult
from tests.bench.run import make_round
from tests.bench.versions import find_number
from tests.support.authority import Authority, Issued

ROW = rows.choose(["1k"])[0]
WRK = """\
Running 1s test @ http://127.0.0.1:1/1k
  1 threads and 64 connections
{"requests":300,"bytes":400000,"duration_us":2000000,"p50_us":900,"p99_us":4000,"connect":0,"read":2,"write":0,\
"timeout":0,"status":5}
"""


def round_of(cpu_us: float, **errors: int) -> Round:
    return Round(1000, cpu_us / 2, cpu_us / 2, 5000.0, 900, 4000, 0.97, 20480, errors)


def outcome_of(*costs: float, **errors: int) -> Outcome:
    return Outcome(rounds=tuple(round_of(cost, **errors) for cost in costs), log_bytes=1)


def report_of(*results: RowResult, missing: dict[str, str] | None = None) -> Report:
    return Report("2026-11-22", "a machine", 3, 1, {"nginx": "1.22.1"}, missing or {}, results)


def result_of(name: str, **costs: float) -> RowResult:
    return RowResult(rows.choose([name])[0], {peer.replace("_", " "): outcome_of(cost) for peer, cost in costs.items()})


def test_the_report_of_wrk_is_found_among_its_lines() -> None:
    assert parse_report(WRK) == Load(300, 400000, 2.0, 900, 4000, {"read": 2, "status": 5})


def test_no_report_is_an_error_that_shows_what_was_printed() -> None:
    with pytest.raises(BenchError, match="unable to connect"):
        parse_report("unable to connect to 127.0.0.1:1")


@pytest.mark.peers
def test_a_new_connection_for_each_request_is_asked_for_with_a_field() -> None:
    argv = [str(word) for word in command(rows.choose(["close-1k"])[0], 80, 1)]
    assert argv[argv.index("-H") + 1] == "Connection: close"


@pytest.mark.peers
def test_tls_is_asked_for_by_name() -> None:
    argv = [str(word) for word in command(rows.choose(["tls-1k"])[0], 8443, 1)]
    assert "https://localhost:8443/1k" in argv


@contextmanager
def tls_server(pair: Issued, tickets: int) -> Iterator[int]:
    """A server that gives out so many tickets after each handshake, and answers one request; its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.num_tickets = tickets
    context.load_cert_chain(pair.cert, pair.key)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    accepted, _ = listener.accept()
                except OSError:
                    return  # it is closed
                # A client may close without taking the tickets, which some versions of OpenSSL call an error.
                with suppress(OSError), context.wrap_socket(accepted, server_side=True) as connection:
                    connection.recv(4096)
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                    connection.unwrap()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(5)


@pytest.mark.parametrize(("row", "tickets", "honest"), [
    ("tls-handshake", 2, True), ("tls-resume", 2, True), ("tls-resume", 0, False),
])  # fmt: skip
def test_a_session_that_is_not_resumed_is_an_error(row: str, tickets: int, honest: bool, tmp_path: Path) -> None:
    one = replace(rows.choose([row])[0], connections=1)
    with tls_server(Authority(tmp_path).issue(TLS_NAME), tickets) as port:
        seen = run(one, port, 1)
    assert seen.requests > 10
    assert seen.received == seen.requests * len(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    assert seen.errors == ({} if honest else {"connect": seen.requests})


def test_cpu_time_is_divided_by_what_reached_the_origin() -> None:
    seen = Load(requests=900, received=0, seconds=2.0, p50_us=1, p99_us=2, errors={})
    made = make_round(ROW, seen, 1000, measure.Cpu(0.25, 0.75), 2.0, 1)
    assert (made.user_us, made.system_us, made.busy) == (250.0, 750.0, 0.5)
    assert made.per_second == 450


def test_long_bodies_are_counted_by_their_bytes() -> None:
    seen = Load(requests=0, received=25 << 20, seconds=1.0, p50_us=0, p99_us=0, errors={})
    made = make_round(rows.choose(["10m"])[0], seen, 64, measure.Cpu(0.0, 1.0), 1.0, 1)
    assert made.counted == 2.5
    assert made.cpu_us == 400_000


def test_a_round_without_an_answer_is_no_measurement() -> None:
    with pytest.raises(BenchError, match="64"):
        make_round(ROW, Load(0, 0, 1.0, 0, 0, {"connect": 64}), 0, measure.Cpu(1.0, 1.0), 1.0, 1)


def test_a_process_may_have_any_name() -> None:
    fields = "S 7 " + " ".join(["0"] * 9) + " 300 200 30 20 " + " ".join(["0"] * 20)
    assert measure.parse_stat(f"42 (a ) (b) {fields}", ticks=100) == (7, measure.Cpu(3.3, 2.2))


def test_sizes_of_a_process_are_kib() -> None:
    status = "Name:\tx\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\n"
    assert measure.parse_status(status, "VmHWM") == 2048
    assert measure.parse_status(status, "VmSwap") == 0


def test_the_requests_of_the_origin_are_the_third_number() -> None:
    page = "Active connections: 2 \nserver accepts handled requests\n 15 15 4711 \nReading: 0 Writing: 1 Waiting: 1 \n"
    assert parse_stub_status(page) == 4711


def test_the_median_round_keeps_its_own_figures() -> None:
    outcome = outcome_of(30.0, 10.0, 20.0, read=1)
    assert outcome.middle == round_of(20.0, read=1)
    assert outcome.errors == {"read": 3}


def test_idle_memory_is_the_growth_divided() -> None:
    assert Outcome(idle=Idle(10_000, 20_000, 120_000)).cost == 10.0


def test_a_ratio_below_one_says_that_we_are_cheaper() -> None:
    assert result_of("1k", this_proxy=20.0, nginx=10.0, Caddy=80.0).ratio(OURS, "Caddy") == 0.25
    assert result_of("1k", this_proxy=20.0).ratio(OURS, "Caddy") is None


def test_rows_come_in_the_order_of_the_table() -> None:
    assert [row.name for row in rows.choose(["64k", "1k"])] == ["1k", "64k"]
    assert rows.choose([]) == list(rows.ROWS)


def test_an_unknown_row_is_refused_with_the_names_that_exist(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse_arguments(["2k"])
    assert "routes-1000" in capsys.readouterr().err


def test_errors_and_failures_are_flagged_in_the_table() -> None:
    outcomes = {OURS: outcome_of(20.0, status=3), "Caddy": Outcome(failure="did not start\nmore")}
    text = table.row_table(RowResult(ROW, outcomes))
    assert "this proxy (!)" in text
    assert "3 status" in text
    assert "- Caddy (!): did not start\n" in text + "\n"


def test_a_proxy_without_an_access_log_is_named() -> None:
    assert "no access log" in table.row_table(RowResult(ROW, {"nginx": Outcome(rounds=(round_of(10.0),))}))


def test_all_lines_of_a_table_are_equally_long() -> None:
    lines = table.render(("proxy", "µs"), [["a", "1"], ["a longer one", "1,000"]]).splitlines()
    assert len({len(line) for line in lines}) == 1


@pytest.mark.parametrize(("value", "text"), [(1234.5, "1,234"), (99.94, "99.9"), (12.34, "12.3"), (0.456, "0.46")])
def test_numbers_have_three_digits(value: float, text: str) -> None:
    assert table.number(value) == text


def test_the_chart_is_xml_with_a_bar_for_each_proxy() -> None:
    missing = RowResult(ROW, {OURS: Outcome(failure="<&>")})
    report = report_of(result_of("1k", this_proxy=20.0, nginx=10.0, Caddy=900.0), missing)
    root = ET.fromstring(chart.draw(report))
    space = "{http://www.w3.org/2000/svg}"
    names = [element.text for element in root.iter(f"{space}text") if element.get("text-anchor") == "end"]
    assert names == ["nginx", OURS, "Caddy"]
    assert len(list(root.iter(f"{space}rect"))) == 6


def test_the_longest_bar_is_cut_and_fits() -> None:
    found = chart.bars(result_of("1k", this_proxy=20.0, nginx=10.0, Caddy=900.0))
    assert chart.scale(found) == 80.0
    assert 'class="cut"' in chart.draw(report_of(result_of("1k", this_proxy=20.0, nginx=10.0, Caddy=900.0)))


def test_goals_are_judged_by_the_ratios_of_the_run() -> None:
    report = report_of(
        result_of("1k", this_proxy=30.0, nginx=10.0, Envoy=45.0),
        result_of("tls-1k", this_proxy=24.0, nginx=10.0),
        result_of("64k", this_proxy=40.0, nginx=40.0, Envoy=39.0),
        result_of("10m", this_proxy=6000.0, nginx=7000.0, Envoy=9000.0),
        result_of("routes-1", this_proxy=30.0),
        result_of("routes-10000", this_proxy=32.0),
    )
    judged = {verdict.goal: verdict for verdict in goals.verdicts(report)}
    assert judged["at most 2.5 times nginx at 1 KiB"].reached is False
    assert judged["at most 2.5 times nginx at 1 KiB over TLS 1.3"].reached is True
    assert judged["at most 1.1 times nginx at 64 KiB"].reached is True
    assert "64k" in judged["less CPU than Envoy in every row"].measured
    assert judged["10,000 routes cost less than 10 % more than one"].measured == "+6.7%"
    assert judged["a byte of 10 MiB costs no more than a byte of 64 KiB"].reached is True
    assert not any("Traefik" in goal for goal in judged)


def test_a_run_with_errors_misses_a_goal() -> None:
    verdict = goals.verdicts(report_of(RowResult(ROW, {OURS: outcome_of(1.0, status=9)})))[0]
    assert (verdict.reached, verdict.measured) == (False, "errors in 1k")


def test_a_page_is_published_between_its_marks_only() -> None:
    page = "# Title\n\n<!-- the bench writes from here -->\nold\n<!-- to here -->\n\nThe end.\n"
    once = publish.insert(page, report_of(result_of("1k", this_proxy=20.0, nginx=10.0), missing={"Envoy": "no wheel"}))
    assert once.startswith("# Title\n")
    assert once.endswith("\n\nThe end.\n")
    assert "old" not in once
    assert "Missing: Envoy (no wheel)." in once
    assert publish.insert(once, report_of()).count("the bench writes") == 1
    with pytest.raises(ValueError, match="has no <!--"):
        publish.insert("# Title\n", report_of())


def test_the_page_of_the_docs_has_the_marks() -> None:
    assert "2026-11-22, a machine" in publish.insert((publish.DOCS / "performance.md").read_text(), report_of())


def test_what_was_measured_is_written_as_json() -> None:
    outcomes = {OURS: outcome_of(20.0), "Caddy": Outcome(failure="gone"), "nginx": Outcome(idle=Idle(10, 0, 25))}
    text = report_of(RowResult(ROW, outcomes)).to_json()
    assert '"cpu_us": 20.0' in text
    assert '"failure": "gone"' in text
    assert '"kib_each": 2.5' in text


@pytest.mark.parametrize("kind", [ThisProxy, Nginx, HAProxy, Envoy, Traefik, Caddy])
def test_a_configuration_names_the_certificate(kind: type[Peer], tmp_path: Path) -> None:
    pair = Authority(tmp_path).issue(TLS_NAME, file="bench")
    for tls, named in ((None, False), (pair, True)):
        (folder := tmp_path / str(named)).mkdir()
        kind().prepare(Path("program"), Scene(8000, 9000, 0, folder, tls))
        written = "".join(path.read_text() for path in folder.iterdir())
        assert (pair.cert in written or "BEGIN CERTIFICATE" in written or "pair.pem" in written) is named


@pytest.mark.parametrize("kind", [ThisProxy, Nginx, HAProxy, Envoy, Traefik, Caddy])
@pytest.mark.parametrize("routes", [0, 3])
def test_a_configuration_names_every_route(kind: type[Peer], routes: int, tmp_path: Path) -> None:
    kind().prepare(Path("program"), Scene(8000, 9000, routes, tmp_path))
    written = "".join(path.read_text() for path in tmp_path.iterdir())
    assert "127.0.0.1" in written
    assert "9000" in written
    assert [f"/s{number:05d}" in written for number in range(4)] == [number < routes for number in range(4)]


def test_every_peer_has_a_name_of_its_own() -> None:
    assert len({peer.name for peer in PEERS}) == len(PEERS)


def test_websocket_answers_are_those_of_the_rfc() -> None:
    """RFC 6455 section 1.3 has this example."""
    assert websocket.accept_value(b"dGhlIHNhbXBsZSBub25jZQ==") == b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    assert websocket.accept_value(b"dGhlIHNhbXBsZSBub25jZQ==") in websocket.answer(
        b"GET / HTTP/1.1\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )


@pytest.mark.parametrize(
    ("said", "release"),
    [
        ("nginx version: nginx/1.22.1", "1.22.1"),
        ("v2.11.7 h1:yj0", "2.11.7"),
        (f"lib/python3.11/envoy  version: {'9e' * 20}/1.40.0/Clean/RELEASE/BoringSSL", "1.40.0"),
        ("none", ""),
    ],
)
def test_releases_are_found_in_what_programs_say(said: str, release: str) -> None:
    assert find_number(said) == release


def test_samples_of_a_recursive_function_count_once() -> None:
    own, cumulative, total = fold("run;walk;walk 3\nrun;read 1\n\n")
    assert (own["walk"], cumulative["walk"], cumulative["run"], total) == (3, 3, 4, 4)


def test_samples_become_microseconds_of_a_request() -> None:
    assert "| walk     |  75.0% |       15.0 |" in report_stacks("run;walk 3\nrun;read 1\n", 20.0, "request")
    assert report_stacks("", 20.0, "request") == "no samples"


def test_instructions_are_read_from_what_callgrind_prints() -> None:
    assert parse_collected("==7== Events    : Ir\n==7== Collected : 2318550737\n") == 2318550737
    with pytest.raises(BenchError, match="counted nothing"):
        parse_collected("valgrind: no such file")


def test_bytecode_instructions_are_those_of_one_request_after_the_other(tmp_path: Path) -> None:
    ran, called = bytecodes("1k", tmp_path)
    calls = {code.co_qualname: number for code, number in called.items()}
    assert calls["Forward.__call__"] == calls["AccessLog.observe"] == 160
    assert sum(ran.values()) > 1000 * 160
