"""Sends load: an open loop over HTTP/1.1, no faster and no slower than it is told."""

from headgate.adapters.load.openloop import Shots, arrivals, fire

__all__ = ["Shots", "arrivals", "fire"]
