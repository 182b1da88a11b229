"""The `reverseproxy` command: everything people ask of a configuration or of a running proxy."""

from proxy.cli.command import main

__all__ = ["main"]
