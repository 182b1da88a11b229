"""Who the client is: no word of anybody we do not know."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.policy import trust
from proxy.policy.trust import NOBODY, UNKNOWN, TrustedNetworks, parse_node

NEAR = TrustedNetworks(["10.0.0.0/8", "2001:db8:ffff::/48"])


@pytest.mark.parametrize(
    ("peer", "received", "chain"),
    [
        ("192.0.2.1", [b"6.6.6.6"], ["192.0.2.1"]),
        ("10.0.0.1", [], ["10.0.0.1"]),
        ("10.0.0.1", [b"203.0.113.7"], ["203.0.113.7", "10.0.0.1"]),
        ("10.0.0.1", [b"6.6.6.6, 203.0.113.7"], ["203.0.113.7", "10.0.0.1"]),
        ("10.0.0.1", [b"6.6.6.6, 203.0.113.7, 10.9.9.9"], ["203.0.113.7", "10.9.9.9", "10.0.0.1"]),
        ("10.0.0.1", [b"6.6.6.6", b"203.0.113.7 ,10.9.9.9"], ["203.0.113.7", "10.9.9.9", "10.0.0.1"]),
        ("10.0.0.1", [b"203.0.113.7", b"10.9.9.9:4711"], ["203.0.113.7", "10.9.9.9", "10.0.0.1"]),
        ("10.0.0.1", [b"203.0.113.7,,\t, "], ["203.0.113.7", "10.0.0.1"]),
        ("10.0.0.1", [b"6.6.6.6, nonsense, 10.2.2.2"], ["10.2.2.2", "10.0.0.1"]),
        ("10.0.0.1", [b"6.6.6.6, unknown"], ["10.0.0.1"]),
        ("10.0.0.1", [b"10.1.1.1, 10.2.2.2"], ["10.1.1.1", "10.2.2.2", "10.0.0.1"]),
        ("10.0.0.1", [b"2001:db8::7"], ["2001:db8::7", "10.0.0.1"]),
        ("10.0.0.1", [b"[2001:db8::7]:443"], ["2001:db8::7", "10.0.0.1"]),
        ("2001:db8:ffff::1", [b"::ffff:203.0.113.7"], ["203.0.113.7", "2001:db8:ffff::1"]),
        ("::ffff:10.0.0.1", [b"203.0.113.7"], ["203.0.113.7", "10.0.0.1"]),
        ("::ffff:192.0.2.1", [b"203.0.113.7"], ["192.0.2.1"]),
        ("fe80::1%eth0", [b"203.0.113.7"], ["fe80::1"]),
        ("/run/front.sock", [b"203.0.113.7"], [UNKNOWN]),
        ("", [b"203.0.113.7"], [UNKNOWN]),
    ],
)
def test_the_chain_ends_at_the_first_stranger(peer: str, received: list[bytes], chain: list[str]) -> None:
    assert NEAR.chain(peer, received) == chain
    assert NEAR.chain(peer, received) == chain  # Also where every address is known already.


def test_a_trusted_unix_socket_is_believed_and_its_path_is_no_address() -> None:
    networks = TrustedNetworks(["10.0.0.0/8"], unix=True)
    assert networks.chain("front", [b"6.6.6.6, 203.0.113.7"]) == ["203.0.113.7", UNKNOWN]
    assert networks.peer("front").trusted
    assert networks.chain("10.0.0.1", [b"6.6.6.6, front"]) == ["10.0.0.1"]


def test_nobody_is_trusted_by_default() -> None:
    assert not NOBODY
    assert NOBODY.chain("127.0.0.1", [b"6.6.6.6"]) == ["127.0.0.1"]
    assert NOBODY.chain("", [b"6.6.6.6"]) == [UNKNOWN]


def test_a_network_with_host_bits_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="host bits"):
        TrustedNetworks(["10.0.0.1/8"])


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"1.2.3",
        b"1.2.3.04",
        b"1.2.3.4:",
        b"1.2.3.4:x",
        b"1.2.3.4:123456",
        b"[1.2.3.4]",
        b"[2001:db8::1",
        b"[2001:db8::1]x",
        b"[2001:db8::1]:",
        b"_hidden",
        b"\xb2.2.3.4",
        b"0x7f.1",
        b"1.2.3.4 5.6.7.8",
        b'"[2001:db8::1]"',
        b"1" * 65,
    ],
)
def test_what_is_not_an_address_is_nothing(text: bytes) -> None:
    assert parse_node(text) is None


def test_a_list_made_up_to_cost_time_is_cut() -> None:
    chain = NEAR.chain("10.0.0.1", [b"10.1.1.1," * 5000])
    assert len(chain) <= trust.HOPS + 1


def test_addresses_are_forgotten_before_they_fill_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trust, "ADDRESSES_REMEMBERED", 4)
    networks = TrustedNetworks(["10.0.0.0/8"])
    for n in range(50):
        assert networks.chain("10.0.0.1", [b"192.0.2.%d" % n]) == [f"192.0.2.{n}", "10.0.0.1"]
    assert len(networks._nodes) <= 4


ADDRESSES = st.one_of(st.ip_addresses(network="10.0.0.0/8"), st.ip_addresses(v=4), st.ip_addresses(v=6)).map(str)
WORDS = st.one_of(ADDRESSES.map(str.encode), st.binary(max_size=20), st.sampled_from([b"unknown", b"", b"1.2.3.4:80"]))


@given(ADDRESSES, st.lists(st.lists(WORDS, max_size=5).map(b", ".join), max_size=4))
def test_nothing_that_a_stranger_said_is_in_the_chain(peer: str, received: list[bytes]) -> None:
    trusted = ip_network("10.0.0.0/8")
    chain = TrustedNetworks(["10.0.0.0/8"]).chain(peer, received)
    plain = ip_address(peer)
    assert chain[-1] == str(getattr(plain, "ipv4_mapped", None) or plain)
    # Whoever is to the right of an address vouches for it: all of them must be trusted.
    for voucher in chain[1:]:
        assert ip_address(voucher) in trusted
    assert len(chain) <= 1 + b",".join(received).count(b",") + 1


@given(ADDRESSES, st.text(), st.integers(0, 5))
def test_garbage_to_the_left_changes_nothing(client: str, garbage: str, hops: int) -> None:
    believed = [client, *(f"10.0.0.{n}" for n in range(hops))]
    tail = ", ".join(believed).encode()
    networks = TrustedNetworks(["10.0.0.0/8"])
    plain = networks.chain("10.9.9.9", [tail])
    spoiled = networks.chain("10.9.9.9", [garbage.encode("utf-8", "replace") + b"!, " + tail])
    assert spoiled[-len(plain) :] == plain
    assert spoiled == plain
