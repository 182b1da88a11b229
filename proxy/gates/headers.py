"""The gate that sets, adds and removes header fields: of the request on its way in, of the response on its way out."""

from __future__ import annotations

from typing import NamedTuple

from proxy.gates.chain import Gate, Proceed
from proxy.message import Exchange, Fields, Response
from proxy.message.fields import Pair


class Edit(NamedTuple):
    """What to do to fields: first remove, then set, then add.

    @ivar remove: names in lower case.
    @ivar put: fields that are there once afterwards, with this value.
    @ivar add: fields that are there once more afterwards.
    """

    remove: frozenset[bytes] = frozenset()
    put: tuple[Pair, ...] = ()
    add: tuple[Pair, ...] = ()

    def apply(self, fields: Fields) -> Fields:
        """The fields after the edit."""
        gone = self.remove | {name.lower() for name, _ in self.put}
        return Fields((*fields.without(gone).pairs, *self.put, *self.add))


def headers(request: Edit, response: Edit) -> Gate:
    """Edit the fields of both heads; an empty edit costs nothing."""

    async def gate(exchange: Exchange, proceed: Proceed) -> Response:
        if any(request):
            exchange.head = exchange.head._replace(fields=request.apply(exchange.head.fields))
        answer = await proceed(exchange)
        if any(response):
            head = answer.head._replace(fields=response.apply(answer.head.fields))
            answer = answer._replace(head=head)
        return answer

    return gate
