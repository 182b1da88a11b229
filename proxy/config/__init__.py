"""What people wish for: a YAML file becomes an immutable configuration, or a list of what is wrong and where."""

from proxy.config.load import Loaded, load, load_admin, load_text
from proxy.config.model import Config
from proxy.config.problem import ConfigError, Position, Problem

__all__ = ["Config", "ConfigError", "Loaded", "Position", "Problem", "load", "load_admin", "load_text"]
