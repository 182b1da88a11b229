"""The tests of the reverse proxy: one folder for each room of `proxy/`, and `sockets/` for real peers."""
