"""What tests with real sockets and real programs share: ports, processes, nginx, the proxy, a raw client."""
