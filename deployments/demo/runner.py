"""A process that runs the deployment ``retrain/<service>`` whenever the server says so.

    python -m deployments.demo.runner flight-delays

It stands for the worker of a real installation: one deployment, no pool.
"""

from __future__ import annotations

import sys

from prefect import serve
from prefect.types.entrypoint import EntrypointType

from flows.retrain import retrain


def main(service: str) -> None:
    """Deploy, and run until it is ended."""
    deployment = retrain.to_deployment(
        service,
        parameters={"service": service},
        tags=["headgate", f"service:{service}"],
        entrypoint_type=EntrypointType.MODULE_PATH,
    )
    serve(deployment, limit=1, print_starting_message=False, pause_on_shutdown=False)  # type: ignore[arg-type]  # no event loop runs here


if __name__ == "__main__":
    main(sys.argv[1])
