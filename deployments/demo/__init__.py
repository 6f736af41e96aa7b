"""The demo: months of a real service played in minutes, through the very flows that run in production."""
