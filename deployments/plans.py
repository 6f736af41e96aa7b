"""The worked example's plan with the addresses of one run in it."""

from __future__ import annotations

from pathlib import Path

import yaml

from deployments.processes import ROOT

EXAMPLE = ROOT / "deployments" / "flights" / "plan.yaml"


def write_plan(
    run: Path,
    name: str,
    service: str,
    incumbent_url: str,
    candidate_url: str,
    next_url: str | None = None,
) -> Path:
    """Write ``<run>/<name>.yaml``: the example under this name, with this run's servers and lake.

    ``next_url``: where versions trained anew will be served; None: nothing is retrained, and nothing watched.
    """
    body = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))
    body |= {"name": name, "service": service}
    body["incumbent"]["url"], body["candidate"]["url"] = incumbent_url, candidate_url
    if next_url is None:
        body = {key: value for key, value in body.items() if key not in ("drift", "retrain")}
    else:
        body["retrain"]["url"] = next_url
    for log in ("requests", "outcomes"):
        body[log]["path"] = str((run / "lake" / log).resolve())
    path = run / f"{name}.yaml"
    path.write_text(yaml.safe_dump(body, sort_keys=False, width=110), encoding="utf-8")
    return path
