"""The guard as a service: what it asks, keeps and writes down. What it decides is in `headgate.guard`."""
