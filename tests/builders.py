"""Small true-to-life values for tests: say what matters, get the rest."""

from __future__ import annotations

from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from headgate.adapters.settings import Settings
from headgate.plan.model import Plan

APRIL = datetime(2013, 4, 1, tzinfo=UTC)

PLAN: dict[str, Any] = {
    "version": 1,
    "name": "flights-gbm",
    "service": "flight-delays",
    "owner": {"name": "Owner of flight delays", "contact": "owner@example.org"},
    "author": "ml-engineer@example.org",
    "incumbent": {"kind": "http", "url": "http://127.0.0.1:8101", "model": "delays", "version": "logistic-1"},
    "candidate": {"kind": "http", "url": "http://127.0.0.1:8102", "model": "delays", "version": "gbm-2"},
    "requests": {"path": "lake/requests", "id": "request_id", "at": "at"},
    "unit": {"entity": "tailnum", "block": "1d", "block_bound": 0.2},
    "outcomes": {"path": "lake/outcomes", "label": "late", "known_at": "known_at", "maturity": "2d"},
    "prediction": {"kind": "probability", "threshold": 0.5},
    "gates": [
        {"name": "quality", "metric": "brier", "margin": 0.005, "expect": -0.007, "min_samples": 3},
        {"name": "errors", "metric": "error_rate", "ceiling": 0.01, "from": 5},
    ],
    "steps": [
        {"percent": 0, "dwell": "2d"},
        {"percent": 5, "dwell": "1d", "approval": {"approvers": 1, "expires": "72h"}},
        {"percent": 50, "dwell": "1d"},
        {"percent": 100},
    ],
    "watch": "2d",
    "deadline": {"step": "60d", "rollout": "120d"},
}


def plan(**changes: Any) -> Plan:
    """Return the plan above with top-level keys changed; None takes a key out."""
    body = deepcopy(PLAN)
    for key, value in changes.items():
        if value is None:
            body.pop(key, None)
        else:
            body[key] = value
    return Plan.model_validate(body)


def settings_in(folder: Path, **changes: Any) -> Settings:
    """Return settings that keep everything in a folder: a test leaves nothing in the place it is run from."""
    files = {"anchors": "anchors.jsonl", "pages": "pages", "key_file": "headgate.key", "planes": "planes"}
    places: dict[str, Any] = {name: folder / file for name, file in files.items()}
    places |= {"shelf": str(folder / "shelf"), "retrainings": folder / "retrainings"}
    return Settings(**(places | {"notify": None} | changes))
