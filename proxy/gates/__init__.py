"""Gates: what a route does to a request on its way in and to the response on its way out, one idea a file.

A gate is `async def gate(exchange, proceed) -> Response`: it may change the exchange, then `await proceed(exchange)`
for the response of all that stands behind it, and may change that; or it answers by itself and never proceeds.
"""
