"""How a service and its stack are run."""
