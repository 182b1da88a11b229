"""Gates in a row: in the order of the configuration inward, in reverse outward."""

from __future__ import annotations

from proxy.gates.chain import Gate, Proceed, compose
from proxy.message import Exchange, Response, ResponseHead
from tests.gates.walk import ended, exchange


def noting(name: str, notes: list[str]) -> Gate:
    async def gate(exchange: Exchange, proceed: Proceed) -> Response:
        notes.append(f"{name} in")
        response = await proceed(exchange)
        notes.append(f"{name} out")
        return response

    return gate


def test_the_first_gate_meets_the_request_first_and_the_response_last() -> None:
    notes: list[str] = []

    async def target(exchange: Exchange) -> Response:
        notes.append("target")
        return Response(ResponseHead(204, b"No Content", exchange.head.fields))

    ended(compose([noting("a", notes), noting("b", notes)], target)(exchange()))
    assert notes == ["a in", "b in", "target", "b out", "a out"]


def test_a_gate_may_answer_by_itself() -> None:
    async def closed(exchange: Exchange, proceed: Proceed) -> Response:
        return Response(ResponseHead(403, b"Forbidden", exchange.head.fields))

    async def target(exchange: Exchange) -> Response:
        raise AssertionError("nobody gets here")

    assert ended(compose([closed], target)(exchange())).head.status == 403
