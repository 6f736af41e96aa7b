"""Reads recorded exchanges and outcomes from files, for replays."""

from headgate.adapters.history.reading import Files, open_history

__all__ = ["Files", "open_history"]
