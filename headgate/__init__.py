"""Headgate takes a machine-learning model from pilot to production through gates."""
