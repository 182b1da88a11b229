"""Sessions that the servers began."""

from __future__ import annotations

from proxy.balance.session import LearnedSessions, NamedSessions
from proxy.message import Fields
from tests.balance.fleet import NOW, LiveServer, fleet

NONE = Fields([])


def bringing(value: bytes) -> Fields:
    return Fields([(b"Cookie", b"theme=dark; sid=" + value)])


def setting(*values: bytes) -> Fields:
    return Fields([(b"Content-Type", b"text/plain"), *[(b"Set-Cookie", value) for value in values]])


def learned(size: int = 10, seconds: float = 60.0) -> LearnedSessions[LiveServer]:
    return LearnedSessions(b"sid", size, seconds)


def test_who_set_the_cookie_gets_it_again() -> None:
    sessions, servers = learned(), fleet(1, 1, 1)
    assert sessions.find(bringing(b"1"), servers, (), NOW) is None
    for server in servers:
        word = server.name.encode()
        said = setting(b"other=1", b"sid=" + word + b"; Path=/; HttpOnly")
        assert sessions.answered(server, NONE, said, b"https", NOW) is None, "nothing is added"
    again = fleet(1, 1, 1)  # other objects of the same names, as after a reload
    for place, server in enumerate(servers):
        assert sessions.find(bringing(server.name.encode()), servers, (), NOW) is server
        assert sessions.find(bringing(b'"%b"' % server.name.encode()), again, (), NOW) is again[place]
    assert bringing(b"a") == sessions.without(bringing(b"a")), "it is the server's own"


def test_a_session_moves_when_another_server_sets_it() -> None:
    sessions, (a, b) = learned(), fleet(1, 1)
    sessions.answered(a, NONE, setting(b"sid=1"), b"http", NOW)
    sessions.answered(b, NONE, setting(b"sid=1"), b"http", NOW)
    assert sessions.find(bringing(b"1"), (a, b), (), NOW) is b


def test_only_servers_begin_sessions() -> None:
    sessions, servers = learned(), fleet(1, 1)
    sessions.answered(servers[0], bringing(b"made-up"), setting(b"sid=; Max-Age=0", b"sid"), b"http", NOW)
    assert sessions.find(bringing(b"made-up"), servers, (), NOW) is None
    assert sessions.find(bringing(b""), servers, (), NOW) is None
    assert sessions.find(NONE, servers, (), NOW) is None
    assert len(sessions) == 0


def test_who_is_not_available_or_has_failed_is_passed_by() -> None:
    sessions, servers = learned(), fleet(1, 1)
    sessions.answered(servers[0], NONE, setting(b"sid=1"), b"http", NOW)
    assert sessions.find(bringing(b"1"), servers, [servers[0]], NOW) is None
    servers[0].available = False
    assert sessions.find(bringing(b"1"), servers, (), NOW) is None
    servers[0].available = True
    assert sessions.find(bringing(b"1"), servers[1:], (), NOW) is None, "it has left"
    assert sessions.find(bringing(b"1"), servers, (), NOW) is servers[0]


def test_a_session_ends_some_time_after_its_last_use() -> None:
    sessions, servers = learned(seconds=60.0), fleet(1)
    sessions.answered(servers[0], NONE, setting(b"sid=used"), b"http", NOW)
    sessions.answered(servers[0], NONE, setting(b"sid=left"), b"http", NOW)
    assert sessions.find(bringing(b"used"), servers, (), NOW + 50) is servers[0]
    assert sessions.find(bringing(b"left"), servers, (), NOW + 60) is None
    assert sessions.find(bringing(b"used"), servers, (), NOW + 109) is servers[0]
    assert len(sessions) == 1, "what is too old is forgotten, whoever asks"


def test_the_session_that_was_not_used_for_longest_makes_room() -> None:
    sessions, servers = learned(size=3), fleet(1)
    for word in (b"1", b"2", b"3"):
        sessions.answered(servers[0], NONE, setting(b"sid=" + word), b"http", NOW)
    assert sessions.find(bringing(b"1"), servers, (), NOW) is servers[0]
    sessions.answered(servers[0], NONE, setting(b"sid=4"), b"http", NOW)
    assert len(sessions) == 3
    assert sessions.find(bringing(b"2"), servers, (), NOW) is None
    assert sessions.find(bringing(b"1"), servers, (), NOW) is servers[0]


def test_the_name_of_the_server_in_the_cookie() -> None:
    sessions: NamedSessions[LiveServer] = NamedSessions(b"sid")
    servers = (LiveServer("app1"), LiveServer("app2@10.0.0.1:80"), LiveServer("app2@10.0.0.2:80"))
    assert sessions.find(bringing(b"0A2F.app1"), servers, (), NOW) is servers[0]
    assert sessions.find(bringing(b"0A.2F.app2"), servers, (), NOW) is servers[1], "the first of that name"
    assert sessions.find(bringing(b"0A2F.nobody"), servers, (), NOW) is None
    assert sessions.find(bringing(b"\xff"), servers, (), NOW) is None
    assert sessions.find(NONE, servers, (), NOW) is None
    assert sessions.find(bringing(b"0A2F.app1"), servers, [servers[0]], NOW) is None
    assert sessions.answered(servers[0], NONE, setting(b"sid=1.app1"), b"http", NOW) is None
    assert sessions.without(bringing(b"1.app1")) == bringing(b"1.app1")
    assert sessions.find(bringing(b"1.app1"), servers[1:], (), NOW) is None
