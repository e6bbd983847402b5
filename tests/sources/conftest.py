"""The fixtures of `vendors`, for every test of a source."""

from vendors import account, scripted, world

__all__ = ["account", "scripted", "world"]
