"""A server and clients that nobody of this project wrote: nginx behind the proxy, curl and h2load before it."""

from __future__ import annotations

import hashlib
import os
import random
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.sockets.stage import logged
from tests.support.nginx import DEFAULT_SERVER, Nginx, start_nginx
from tests.support.processes import ProcessPark, require_program
from tests.support.proxy import RunningProxy
from tests.support.raw import RawClient

pytestmark = pytest.mark.peers

SERVER = (
    DEFAULT_SERVER
    + """\
        location = /status { stub_status; }
        location = /moved { return 301 /elsewhere?x=1; }
        location = /cookies {
            add_header Set-Cookie a=1; add_header Set-Cookie b=2; default_type text/plain; return 200 "$http_cookie\\n";
        }
        location = /prefix { default_type text/plain; return 200 "$http_x_forwarded_prefix $request_uri\\n"; }
        location /v2 { default_type text/plain; return 200 "$http_x_forwarded_prefix $request_uri\\n"; }
        location /hasty { keepalive_requests 3; default_type text/plain; return 200 "hasty\\n"; }
        keepalive_timeout 2s;
"""
)


@pytest.fixture(scope="module")
def nginx(module_park: ProcessPark) -> Nginx:
    return start_nginx(module_park, SERVER)


@pytest.fixture(scope="module")
def proxy(serve: Callable[..., RunningProxy], nginx: Nginx) -> RunningProxy:
    return serve(
        f"""
        upstreams:
          nginx: {{servers: ["{nginx.url}"]}}
          own: {{servers: ["{nginx.url}"], host: upstream}}
        routes:
          - {{path: /, upstream: nginx}}
          - {{path: /host, upstream: own}}
          - {{path: /v1, upstream: nginx, gates: [{{strip_prefix: /v1}}]}}
          - {{path: /new, upstream: nginx, gates: [{{add_prefix: /v2}}]}}
          - path: /re
            upstream: nginx
            gates: [{{rewrite: {{regex: "^/re/([0-9]+)", replace: "/v2/item-\\\\1"}}}}]
          - path: /fields
            upstream: nginx
            gates:
              - {{rewrite: {{regex: "^/fields$", replace: /cookies}}}}
              - headers:
                  request: {{set: {{Cookie: set-by-gate}}, remove: [User-Agent]}}
                  response: {{add: {{X-Added: [one, two]}}, set: {{Server: ours}}, remove: [Set-Cookie]}}
        limits: {{body: 0}}
        """
    )


def curl(*words: str) -> str:
    done = subprocess.run(
        [require_program("curl"), "--silent", "--show-error", "--max-time", "30", *words],
        capture_output=True,
        check=True,
    )
    return done.stdout.decode()


def test_a_page(proxy: RunningProxy) -> None:
    assert curl(proxy.url + "/") == "hello from nginx\n"
    assert curl("--http1.0", proxy.url + "/") == "hello from nginx\n"
    head = curl("--head", proxy.url + "/")
    assert head.startswith("HTTP/1.1 200 OK\r\n")
    assert "Content-Length: 17\r\n" in head
    assert "Server: nginx" in head


def test_the_server_learns_of_the_client(proxy: RunningProxy) -> None:
    told = curl("-H", "X-Forwarded-For: 6.6.6.6", "-H", "Host: site.test", proxy.url + "/forwarded")
    assert re.fullmatch(r"for=127\.0\.0\.1 proto=http host=site\.test via=1\.1 reverseproxy-[0-9a-f]+\n", told)


def test_the_host_is_kept_or_not(proxy: RunningProxy, nginx: Nginx) -> None:
    assert curl("-H", "Host: site.test", proxy.url + "/host") == f"127.0.0.1:{nginx.port}\n"


def test_statuses_and_redirects_pass(proxy: RunningProxy) -> None:
    status = ("--output", os.devnull, "--write-out", "%{http_code} %header{location}")
    assert curl(*status, proxy.url + "/no-content") == "204 "
    assert curl(*status, proxy.url + "/not-found") == "404 "
    # nginx builds the address from the Host that it was sent; that is the proxy's.
    assert curl(*status, proxy.url + "/moved").startswith("301 http://127.0.0.1")


def test_cookies_pass_in_order_and_number(proxy: RunningProxy) -> None:
    shown = curl("--include", "-H", "Cookie: x=1; y=2", proxy.url + "/cookies")
    assert re.findall(r"Set-Cookie: (\S+)", shown) == ["a=1", "b=2"]
    assert shown.endswith("x=1; y=2\n")


def test_a_file_and_its_ranges(proxy: RunningProxy, nginx: Nginx, tmp_path: Path) -> None:
    content = random.Random(1).randbytes(5_000_000)
    url = proxy.url + nginx.put("file.bin", content)
    got = tmp_path / "got"
    curl("--output", str(got), url)
    assert got.read_bytes() == content
    curl("--output", str(got), "--range", "1000000-2999999", url)
    assert got.read_bytes() == content[1_000_000:3_000_000]
    with RawClient(proxy.port) as client:
        answer = client.get(b"/file.bin", b"Range: bytes=-10")
        assert (answer.status, answer.body) == (206, content[-10:])
        etag = answer.field(b"etag") or b""
        assert client.get(b"/file.bin", b"If-None-Match: " + etag).status == 304
        assert client.get(b"/file.bin", b"Range: bytes=9999999-").status == 416
        assert client.get(b"/file.bin", b"Range: bytes=0-1,3-4").body.count(b"Content-Range") == 2


def test_uploads_arrive(proxy: RunningProxy, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.write_bytes(os.urandom(3_000_000))
    for words in (["--data-binary", f"@{data}"], ["--upload-file", str(data)], ["-F", f"file=@{data}"]):
        assert curl(*words, proxy.url + "/upload") == "taken\n"
    assert curl("-H", "Transfer-Encoding: chunked", "--data-binary", f"@{data}", proxy.url + "/upload") == "taken\n"


@pytest.mark.slow
def test_a_large_file_is_the_same_at_the_other_end(proxy: RunningProxy, nginx: Nginx) -> None:
    size = 300 * 1024 * 1024
    path = nginx.put_sparse("sparse.bin", size)
    with subprocess.Popen(
        [require_program("curl"), "--silent", "--max-time", "60", proxy.url + path], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        digest = hashlib.file_digest(process.stdout, "sha256")
    expected = hashlib.sha256()
    for _ in range(300):
        expected.update(bytes(1024 * 1024))
    assert digest.digest() == expected.digest()


@pytest.mark.parametrize(
    ("target", "seen"),
    [
        ("/v1/prefix", "/v1 /prefix\n"),
        ("/v1/prefix?q=/v1/x", "/v1 /prefix?q=/v1/x\n"),
        ("/new/x", " /v2/new/x\n"),
        ("/re/17/x?y", " /v2/item-17/x?y\n"),
    ],
)
def test_gates_change_the_path(proxy: RunningProxy, target: str, seen: str) -> None:
    assert curl(proxy.url + target) == seen


def test_a_stripped_prefix_leaves_a_path(proxy: RunningProxy) -> None:
    assert curl(proxy.url + "/v1") == "hello from nginx\n"
    assert curl(proxy.url + "/v1/") == "hello from nginx\n"


def test_a_gate_changes_fields(proxy: RunningProxy) -> None:
    shown = curl("--include", "-H", "Cookie: x=1", proxy.url + "/fields")
    assert shown.endswith("\r\n\r\nset-by-gate\n")
    assert "\r\nX-Added: one\r\nX-Added: two\r\n" in shown
    assert "\r\nServer: ours\r\n" in shown
    assert "Set-Cookie" not in shown


def test_a_raw_path_arrives_as_it_was_sent(proxy: RunningProxy, nginx: Nginx) -> None:
    for target in ("/v2/%41%7e/x", "/v2//a/./b", "/v2/a?b=%zz&c=|"):
        assert curl("--path-as-is", "--globoff", proxy.url + target) == f" {target}\n"


def accepts(nginx: Nginx) -> int:
    with RawClient(nginx.port) as client:
        found = re.search(rb"\n (\d+) \d+ \d+", client.get(b"/status").body)
    assert found
    return int(found[1])


def test_ten_thousand_requests_over_64_connections_need_64(proxy: RunningProxy, nginx: Nginx) -> None:
    before = accepts(nginx)
    done = subprocess.run(
        [require_program("h2load", "nghttp2-client"), "--h1", "-n10000", "-c64", "-t1", proxy.url + "/"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "10000 succeeded, 0 failed, 0 errored" in done.stdout
    assert "status codes: 10000 2xx" in done.stdout
    used = accepts(nginx) - before - 1
    assert used <= 64, f"{used} connections to the server"


def test_a_server_that_closes_every_third_time_is_never_noticed(proxy: RunningProxy) -> None:
    done = subprocess.run(
        [require_program("h2load", "nghttp2-client"), "--h1", "-n3000", "-c16", "-t1", proxy.url + "/hasty"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "status codes: 3000 2xx, 0 3xx, 0 4xx, 0 5xx" in done.stdout


def test_an_idle_connection_that_nginx_closed_is_never_seen(proxy: RunningProxy) -> None:
    """nginx closes after two seconds; the proxy thinks of four, until it has seen that once.

    Before that, a POST sent in the millisecond of the close would be lost: nobody may send it again.
    """
    with RawClient(proxy.port) as client:
        assert client.request(b"POST", b"/upload", body=b"x").status == 200
        time.sleep(2.5)
        for number in range(4):
            assert client.request(b"POST", b"/upload", body=b"x").status == 200
            time.sleep(1.98 + number / 50)
        assert client.request(b"POST", b"/upload", body=b"x").status == 200
    assert logged(proxy, "/upload")["status"] == 200
