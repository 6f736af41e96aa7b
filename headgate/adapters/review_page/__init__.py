"""The page on which people look at answers: rendered here, usable with the keyboard, and without scripts."""

from headgate.adapters.review_page.app import app
from headgate.adapters.review_page.desk import Desk

__all__ = ["Desk", "app"]
