"""TLS with real clients: curl, OpenSSL's s_client and Python's ssl. Servers have a page of their own."""

from __future__ import annotations

import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from OpenSSL import SSL

from tests.support.authority import Authority, Issued
from tests.support.nginx import start_nginx
from tests.support.ports import LOOPBACK, free_port
from tests.support.processes import ProcessPark, require_program
from tests.support.proxy import REACTOR, RunningProxy, console_script
from tests.support.yardstick import within

pytestmark = pytest.mark.peers


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def start(park: ProcessPark, config: str, port: int, env: Mapping[str, str] | None = None) -> RunningProxy:
    """The proxy with a configuration that says itself where it listens, `port` among the places."""
    path = park.directory / f"tls-{port}.yaml"
    path.write_text(config)
    argv = [console_script("twistd"), *REACTOR, "-n", "--pidfile=", "reverseproxy", "--config", path]
    process = park.start(*argv, env=env, cwd=park.directory)
    process.wait_for_port(port)
    process.wait_for_text("listening on")  # told when all the places are open
    return RunningProxy(process, port, path)


@pytest.fixture
def run(park: ProcessPark) -> Iterator[Callable[[str, int], RunningProxy]]:
    """`run(config, port)` starts the proxy; a traceback in its log fails the test."""
    proxies: list[RunningProxy] = []

    def begin(config: str, port: int) -> RunningProxy:
        proxies.append(start(park, config, port))
        return proxies[-1]

    yield begin
    for proxy in proxies:
        proxy.process.stop()
        proxy.process.assert_no_traceback()


def curl(authority: Authority, port: int, host: str, *options: str) -> subprocess.CompletedProcess[str]:
    argv = [require_program("curl"), "-sS", "--max-time", "10", "--cacert", authority.ca]
    argv += ["--resolve", f"{host}:{port}:{LOOPBACK}", *options, f"https://{host}:{port}/"]
    return subprocess.run(argv, capture_output=True, text=True, check=False)


def s_client(port: int, *options: str, say: str = "") -> str:
    argv = [require_program("openssl"), "s_client", "-connect", f"{LOOPBACK}:{port}", *options]
    done = subprocess.run(argv, input=say, capture_output=True, text=True, check=False, timeout=20)
    return done.stdout + done.stderr


def entry(issued: Issued, more: str = "") -> str:
    return f"{{cert: {issued.cert}, key: {issued.key}{more}}}"


# --- one listener, many hosts -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def hosts(authority: Authority, module_park: ProcessPark) -> Iterator[RunningProxy]:
    """Two hosts, one of which needs a client certificate, a wildcard, and a listener without TLS."""
    port, plain = free_port(), free_port()
    staff = f", client: {{verify: required, ca: {authority.ca}}}"
    curious = f", client: {{verify: optional, ca: {authority.ca}}}"
    told = "$http_x_forwarded_client_cert|$http_x_forwarded_proto"
    origin = start_nginx(module_park, f'location / {{ return 200 "{told}"; }}')
    config = f"""
listen:
  - endpoint: tcp:{port}:interface={LOOPBACK}
    tls:
      hsts: 365d
      certificates:
        - {entry(authority.issue("www.test"))}
        - {entry(authority.issue("www.test", file="rsa", use_rsa=True))}
        - {entry(authority.issue("*.wild.test"))}
        - {entry(authority.issue("staff.test"), staff)}
        - {entry(authority.issue("curious.test"), curious)}
  - {{endpoint: "tcp:{plain}:interface={LOOPBACK}", redirect: "https:{port}"}}
upstreams: {{origin: {{servers: {origin.url}}}}}
routes: [{{path: /, upstream: origin}}]
"""
    proxy = start(module_park, config, port)
    proxy.plain = plain  # type: ignore[attr-defined] # where the redirects are
    yield proxy
    proxy.process.stop()
    proxy.process.assert_no_traceback()


def test_curl_gets_an_answer_by_every_version(hosts: RunningProxy, authority: Authority) -> None:
    for version in ("1.2", "1.3"):
        done = curl(authority, hosts.port, "www.test", f"--tlsv{version}", "--tls-max", version, "-i")
        assert "HTTP/1.1 200" in done.stdout, done
        assert "strict-transport-security: max-age=31536000" in done.stdout.lower()
        assert done.stdout.endswith("|https")


def test_hsts_is_on_pages_of_our_own_as_well(hosts: RunningProxy, authority: Authority) -> None:
    done = curl(authority, hosts.port, "www.test", "-i", "-X", "TRACE")
    assert "HTTP/1.1 501" in done.stdout
    assert "strict-transport-security" in done.stdout.lower()


def test_each_name_gets_its_certificate(hosts: RunningProxy) -> None:
    for name, subject in (("www.test", "www.test"), ("a.wild.test", "*.wild.test"), ("staff.test", "staff.test")):
        assert f"subject=CN = {subject}" in s_client(hosts.port, "-servername", name)
    assert "unrecognized name" in s_client(hosts.port, "-servername", "nobody.test")


def test_rsa_and_ecdsa_side_by_side(hosts: RunningProxy) -> None:
    for kind, said in (("ECDSA", "ECDSA"), ("RSA", "RSA-PSS")):
        cipher = f"ECDHE-{kind}-AES128-GCM-SHA256"
        seen = s_client(hosts.port, "-servername", "www.test", "-tls1_2", "-cipher", cipher)
        assert f"Cipher    : {cipher}" in seen
        assert f"Peer signature type: {said}" in seen


def test_a_client_of_old_gets_rsa_for_every_name_that_it_is_for(
    authority: Authority, run: Callable[[str, int], RunningProxy]
) -> None:
    port = free_port()
    rsa = authority.issue("one.test", "two.test", "*.wild.test", file="both", use_rsa=True)
    curve = authority.issue("one.test", "a.wild.test", file="only")
    certificates = f"[{entry(rsa)}, {entry(curve)}]"
    run(
        f'listen: {{endpoint: "tcp:{port}:interface={LOOPBACK}", tls: {{certificates: {certificates}}}}}\n'
        "routes: [{path: /, respond: 204}]\n",
        port,
    )
    for name, kinds in (("one.test", "RSA ECDSA"), ("a.wild.test", "RSA ECDSA"), ("two.test", "RSA")):
        for kind in kinds.split():
            cipher = f"ECDHE-{kind}-AES128-GCM-SHA256"
            seen = s_client(port, "-servername", name, "-tls1_2", "-cipher", cipher)
            assert f"Cipher    : {cipher}" in seen, (name, kind)
        assert f"Peer signature type: {kinds.split()[-1]}" in s_client(port, "-servername", name)


def test_old_versions_and_weak_ciphers_are_refused(hosts: RunningProxy) -> None:
    for options in (["-tls1_1"], ["-tls1_2", "-cipher", "AES128-SHA:@SECLEVEL=0"]):
        assert "alert" in s_client(hosts.port, "-servername", "www.test", *options)


def test_policies_and_the_lowest_version(authority: Authority, run: Callable[[str, int], RunningProxy]) -> None:
    """Each listener has its own: what the versions and one cipher of each kind get there."""
    one = authority.issue("www.test", file="policies")
    wishes = ["modern", "intermediate", "legacy", 'intermediate, min_version: "1.3"', 'legacy, min_version: "1.2"']
    ports = [free_port() for _ in wishes]
    listeners = "".join(
        f'  - {{endpoint: "tcp:{port}:interface={LOOPBACK}", tls: {{certificates: {entry(one)}, policy: {wish}}}}}\n'
        for port, wish in zip(ports, wishes, strict=True)
    )
    run(f"listen:\n{listeners}routes: [{{path: /, respond: 204}}]\n", ports[-1])
    spoken = {
        "-tls1_3": [True, True, True, True, True],
        "-tls1_2 -cipher ECDHE-ECDSA-AES128-GCM-SHA256": [False, True, True, False, True],
        "-tls1_2 -cipher ECDHE-ECDSA-AES128-SHA256": [False, False, True, False, True],
        "-tls1_2 -cipher ECDHE-ECDSA-AES256-CCM": [False] * 5,
        "-tls1_1 -cipher DEFAULT@SECLEVEL=0": [False] * 5,
    }
    for options, expected in spoken.items():
        heard = [s_client(port, "-servername", "www.test", *options.split()) for port in ports]
        assert ["Verify return code" in one and "Cipher is (NONE)" not in one for one in heard] == expected, options


def test_unknown_names_get_the_first_certificate_where_that_is_asked_for(
    authority: Authority, run: Callable[[str, int], RunningProxy]
) -> None:
    port = free_port()
    first, second = authority.issue("first.test"), authority.issue("second.test")
    certificates = f"certificates: [{entry(first)}, {entry(second)}], unknown_names: default, hsts: 0"
    run(
        f'listen: {{endpoint: "tcp:{port}:interface={LOOPBACK}", tls: {{{certificates}}}}}\n'
        "routes: [{path: /, respond: 204}]\n",
        port,
    )
    for options, subject in (
        (["-servername", "nobody.test"], "first.test"),
        (["-noservername"], "first.test"),
        (["-servername", "second.test"], "second.test"),
    ):
        assert f"subject=CN = {subject}" in s_client(port, *options)
    said = curl(authority, port, "nobody.test", "-i", "-k").stdout
    assert said.startswith("HTTP/1.1 204")
    assert "strict-transport-security: max-age=0" in said.lower()


def test_sessions_are_resumed(hosts: RunningProxy, tmp_path: Path) -> None:
    for version in ("-tls1_2", "-tls1_3"):
        session = str(tmp_path / f"session{version}")
        ask = "GET / HTTP/1.1\r\nHost: www.test\r\nConnection: close\r\n\r\n"
        options = ["-servername", "www.test", version, "-ign_eof"]
        assert "New, TLS" in s_client(hosts.port, *options, "-sess_out", session, say=ask)
        again = s_client(hosts.port, *options, "-sess_in", session, say=ask)
        assert "Reused, TLS" in again
        assert "HTTP/1.1 200" in again


def test_keys_are_updated_in_the_middle(hosts: RunningProxy) -> None:
    """RFC 8446 section 4.6.3: the client changes its keys, and asks us to change ours."""
    argv = [require_program("openssl"), "s_client", "-connect", f"{LOOPBACK}:{hosts.port}", "-servername", "www.test"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as client:
        assert client.stdin is not None
        assert client.stdout is not None
        for word in (b"K\n", b"K\n", b"GET / HTTP/1.1\r\nHost: www.test\r\nConnection: close\r\n\r\n"):
            time.sleep(0.3)  # it takes one read of its input for one command
            client.stdin.write(word)
            client.stdin.flush()
        said = client.stdout.read()
    assert said.count(b"KEYUPDATE") == 2
    assert b"HTTP/1.1 200 OK" in said
    assert b"|https" in said


def test_a_whole_listener_redirects(hosts: RunningProxy) -> None:
    plain = hosts.plain  # type: ignore[attr-defined]
    argv = [require_program("curl"), "-sSi", f"http://{LOOPBACK}:{plain}/a/b?c=d", "-H", "Host: www.test:8080"]
    said = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    assert said.startswith("HTTP/1.1 308")
    assert f"Location: https://www.test:{hosts.port}/a/b?c=d\r\n".lower() in said.lower().replace("\n", "\r\n").replace(
        "\r\r", "\r"
    )


# --- client certificates ----------------------------------------------------------------------------------


def test_a_client_certificate_is_asked_for_and_told(hosts: RunningProxy, authority: Authority) -> None:
    one = authority.issue("client.test", uris=["spiffe://test/client"])
    mine = ["--cert", one.cert, "--key", one.key]
    claimed = ["-H", "X-Forwarded-Client-Cert: Hash=00;Subject=CN=root", "-H", "X_Forwarded_Client_Cert: Hash=00"]
    said = curl(authority, hosts.port, "staff.test", *mine, *claimed).stdout
    assert 'Subject="CN=client.test";URI=spiffe://test/client;DNS=client.test|https' in said
    assert said.startswith("Hash=")
    assert said.count("Hash=") == 1
    assert curl(authority, hosts.port, "curious.test", *mine).stdout.count("Hash=") == 1
    assert curl(authority, hosts.port, "curious.test", *claimed).stdout == "|https"
    refused = curl(authority, hosts.port, "staff.test")
    assert refused.returncode == 56, refused
    assert "certificate required" in refused.stderr


def test_no_name_leads_to_a_host_that_needs_a_certificate_but_its_own(
    hosts: RunningProxy, authority: Authority
) -> None:
    def status(host: str, claimed: str, *options: str) -> str:
        options = ("-H", f"Host: {claimed}", "-o", "/dev/null", "-w", "%{http_code}", *options)
        return curl(authority, hosts.port, host, *options).stdout

    one = authority.issue("client.test", file="second")
    mine = ["--cert", one.cert, "--key", one.key]
    assert status("www.test", "www.test") == "200"
    for claimed in ("staff.test", "STAFF.test", "staff.test.", f"staff.test:{hosts.port}"):
        assert status("www.test", claimed) == "421"
        assert status("www.test", claimed, *mine) == "421"
        assert status("staff.test", claimed, *mine) == "200"
    assert status("staff.test", "www.test", *mine) == "421"


def test_what_was_refused_is_in_the_log(hosts: RunningProxy, authority: Authority) -> None:
    s_client(hosts.port, "-servername", "nobody.test")
    s_client(hosts.port, "-servername", "www.test", "-tls1_1")
    curl(authority, hosts.port, "staff.test")
    curl(authority, hosts.port, "www.test", "-H", "Host: staff.test")
    hosts.process.wait_for_text("client.request.misdirected")
    reasons = {line.get("reason") for line in hosts.access_log()}
    assert {"client.tls.name", "client.tls.handshake", "client.tls.certificate"} <= reasons


# --- peculiar clients -------------------------------------------------------------------------------------


def secured(authority: Authority, port: int, name: str = "www.test") -> ssl.SSLSocket:
    context = ssl.create_default_context(cafile=authority.ca)
    return context.wrap_socket(socket.create_connection((LOOPBACK, port), timeout=10), server_hostname=name)


def test_keep_alive_and_pipelining(hosts: RunningProxy, authority: Authority) -> None:
    with secured(authority, hosts.port) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: www.test\r\n\r\n" * 3)
        heard = b""
        while heard.count(b"|https") < 3:
            heard += client.recv(65536)
        assert heard.count(b"HTTP/1.1 200 OK") == 3


def test_we_close_with_the_word_for_it(hosts: RunningProxy, authority: Authority) -> None:
    with secured(authority, hosts.port) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: www.test\r\nConnection: close\r\n\r\n")
        heard = b""
        while piece := client.recv(65536):  # without close_notify, ssl would raise here
            heard += piece
        assert heard.endswith(b"|https")


def test_plain_http_to_a_port_with_tls(hosts: RunningProxy) -> None:
    with hosts.connect() as client:
        client.send(b"GET / HTTP/1.1\r\nHost: www.test\r\n\r\n")
        assert b"This port speaks TLS" in client.read_until_close()


def test_a_name_that_is_none_is_in_the_log_and_no_traceback(hosts: RunningProxy) -> None:
    client = SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD), socket.create_connection((LOOPBACK, hosts.port), 10))
    client.setblocking(True)
    client.set_tlsext_host_name(b"\xff\xfe.test")
    client.set_connect_state()
    with pytest.raises((SSL.Error, OSError)):  # with TLS 1.3 maybe not before it reads
        client.do_handshake()
        client.recv(1)
    client.close()
    hosts.process.wait_for_text("which is not what stands in the hello")
    [line] = [line for line in hosts.access_log() if "xff" in (line.get("detail") or "")]
    assert line["reason"] == "client.tls.name"
    hosts.process.assert_no_traceback()


# --- renewal ----------------------------------------------------------------------------------------------


def serial_met(authority: Authority, port: int) -> int:
    with secured(authority, port) as client:
        return int(client.getpeercert()["serialNumber"], 16)  # type: ignore[index, arg-type] # it is verified


def test_a_renewed_certificate_is_taken_and_nobody_is_disconnected(
    authority: Authority, run: Callable[[str, int], RunningProxy]
) -> None:
    port = free_port()
    first = authority.issue("www.test", file="renewed")
    config = f"""
listen: {{endpoint: "tcp:{port}:interface={LOOPBACK}", tls: {{certificates: {entry(first)}}}}}
routes: [{{path: /, respond: {{status: 200, body: hello}}}}]
"""
    proxy = run(config, port)
    assert serial_met(authority, port) == first.certificate.serial_number
    ask = b"GET / HTTP/1.1\r\nHost: www.test\r\n\r\n"
    with secured(authority, port) as client:
        client.sendall(ask)
        assert client.recv(65536).endswith(b"hello")
        Path(first.cert).write_bytes(b"nonsense")
        proxy.process.wait_for_text("a renewed certificate cannot be used, the old one stays")
        assert serial_met(authority, port) == first.certificate.serial_number
        second = authority.issue("www.test", file="renewed")
        proxy.process.wait_for_text("certificate renewed")
        assert serial_met(authority, port) == second.certificate.serial_number
        client.sendall(ask)
        assert client.recv(65536).endswith(b"hello")


def started(run: Callable[[str, int], RunningProxy], entries: list[str]) -> RunningProxy:
    """The proxy with these certificates."""
    port = free_port()
    return run(
        f"""
listen: {{endpoint: "tcp:{port}:interface={LOOPBACK}", tls: {{certificates: [{', '.join(entries)}]}}}}
routes: [{{path: /, respond: 204}}]
""",
        port,
    )


def handshake_seconds(proxy: RunningProxy, authority: Authority, names: Sequence[str]) -> float:
    """How much CPU of the proxy a handshake costs."""
    before = sum(proxy.process.cpu_seconds())
    for name in names:
        secured(authority, proxy.port, name).close()
    return (sum(proxy.process.cpu_seconds()) - before) / len(names)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_thousand_certificates(authority: Authority, run: Callable[[str, int], RunningProxy]) -> None:
    """In seconds of CPU: how long it takes is a matter of who else uses the machine."""
    names = [f"h{number}.test" for number in range(1000)]
    entries = [entry(authority.issue(name, file=name)) for name in names]

    def start_all() -> float:
        proxy = started(run, entries)
        secured(authority, proxy.port, names[-1]).close()
        cpu = sum(proxy.process.cpu_seconds())
        print(f"the first handshake with one of {len(entries)} certificates after {cpu:.2f} s of CPU")
        proxy.process.stop()
        return cpu

    assert any(within(start_all, 2.0) for _ in range(4))


@pytest.mark.slow
def test_what_a_handshake_costs_does_not_depend_on_how_many_certificates_there_are(
    authority: Authority, run: Callable[[str, int], RunningProxy]
) -> None:
    one = authority.issue("*.many.test", file="many")
    names = [f"h{number}.many.test" for number in range(1000)]
    copies = [authority.write(one.certificate, one.private, name) for name in names]
    served = zip(copies, names, strict=True)
    many = started(run, [f"{{cert: {copy.cert}, key: {copy.key}, names: {name}}}" for copy, name in served])
    few = started(run, [entry(one)])

    def compare() -> bool:
        least, most = (handshake_seconds(proxy, authority, names[::5]) for proxy in (few, many))
        print(f"a handshake costs {least * 1e6:.0f} µs beside no other certificate, {most * 1e6:.0f} µs beside 999")
        return most < 1.3 * least

    assert any(compare() for _ in range(4))


def test_a_reload_changes_hosts_and_keeps_connections(
    authority: Authority, run: Callable[[str, int], RunningProxy]
) -> None:
    port = free_port()
    first, second = authority.issue("www.test", file="before"), authority.issue("new.test", file="after")
    staff = f", client: {{verify: required, ca: {authority.ca}}}"

    def config(*entries: str) -> str:
        tls = f"tls: {{certificates: [{', '.join(entries)}]}}" if entries else ""
        listen = f"listen: {{endpoint: 'tcp:{port}:interface={LOOPBACK}'{', ' if tls else ''}{tls}}}\n"
        return listen + "routes: [{path: /, respond: {status: 200, body: hello}}]\n"

    def reload(text: str, count: int) -> None:
        proxy.config.write_text(text)
        proxy.process.send_signal(signal.SIGHUP)
        proxy.process.wait_for_text(rf"(?s)(?:reloaded .*){{{count}}}")

    proxy = run(config(), port)
    with proxy.connect() as plain:
        assert plain.get(b"/").body == b"hello"
        reload(config(entry(first)), 1)
        assert plain.is_closed()  # what was agreed on without TLS does not go on beside it
    ask = b"GET / HTTP/1.1\r\nHost: %b\r\n\r\n"
    with secured(authority, port) as client:
        client.sendall(ask % b"www.test")
        assert client.recv(65536).endswith(b"hello")
        reload(config(entry(first), entry(second, staff)), 2)
        client.sendall(ask % b"www.test")
        assert client.recv(65536).endswith(b"hello")
        client.sendall(ask % b"new.test")  # which asks for certificates since the reload
        assert client.recv(65536).startswith(b"HTTP/1.1 421")
    assert curl(authority, port, "new.test").returncode != 0
    mine = authority.issue("client.test", file="third")
    assert curl(authority, port, "new.test", "--cert", mine.cert, "--key", mine.key).stdout == "hello"


def test_a_host_that_a_reload_adds_has_its_certificate_at_once(
    authority: Authority, run: Callable[[str, int], RunningProxy], tmp_path: Path
) -> None:
    port = free_port()

    def config(*hosts: str) -> str:
        listen = f"listen: {{endpoint: 'tcp:{port}:interface={LOOPBACK}', tls: internal}}\nstate: {tmp_path}\n"
        return listen + f"routes: [{{host: [{', '.join(hosts)}], respond: {{status: 200, body: hello}}}}]\n"

    proxy = run(config("a.test"), port)
    root = ("--cacert", str(tmp_path / "internal" / "root.crt"))
    assert curl(authority, port, "a.test", *root).stdout == "hello"
    assert curl(authority, port, "b.test", *root).returncode == 60
    proxy.config.write_text(config("a.test", "b.test"))
    proxy.process.send_signal(signal.SIGHUP)
    proxy.process.wait_for_text("reloaded")
    assert curl(authority, port, "b.test", *root).stdout == "hello"
