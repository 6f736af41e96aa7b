"""The monitoring page of a service, self-contained; and what Prefect's own page shows of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from markupsafe import Markup

from headgate.report import reviewers
from headgate.report.document import render
from headgate.report.formats import NO_DATA, lasting, number, when
from headgate.report.monitoring import Watch, drifts, facts_of, sentences, word_of
from headgate.report.scorecard import plain

_TONES = {"quiet": "good", "drift": "bad", "degraded": "bad", "no data": "bad"}
#: Verdicts that are told when they begin; a drift is told as a whole.
_TOLD = frozenset({"degraded", "no_data", "no_labels"})
#: Rows of the table of columns, and of what happened.
_MOST_COLUMNS, _MOST_EVENTS = 40, 60


def page(watch: Watch) -> str:
    """Return the page as one HTML document: no script, nothing fetched."""
    # matplotlib takes longer to import than the rest of Headgate together
    from headgate.report.drift_strip import drift_strip
    from headgate.report.monitoring_charts import performance_chart, requests_chart

    values = {
        "watch": watch,
        "title": f"Monitoring of {watch.service}",
        "word": word_of(watch),
        "tone": _TONES.get(word_of(watch), "plain"),
        "sentences": sentences(watch),
        "facts": facts_of(watch),
        "performance": Markup(performance_chart(watch)),  # noqa: S704 - our own SVG, text escaped where written
        "drift": Markup(drift_strip(watch)),  # noqa: S704 - as above
        "requests": Markup(requests_chart(watch)),  # noqa: S704 - as above
        "columns": columns_of(watch),
        "parts": parts_of(watch),
        "check": check_words(watch),
        "events": events_of(watch),
        "taken": reviewers.sentences(watch.taken) if watch.taken else [],
        "taken_facts": reviewers.facts(watch.taken, watch.review) if watch.taken else {},
        "lasting": lasting,
        "moment": when,
    }
    return render("headgate.report", "monitoring.html.j2", values)


def markdown(watch: Watch, where: str) -> str:
    """Return what Prefect shows: how it stands, and where the page is."""
    link = f"[The full page]({where})" if "://" in where else f"The full page is the file `{where}`"
    facts = [f"| {plain(name)} | {plain(value)} |" for name, value in facts_of(watch).items()]
    rows = [
        f"| {plain(row['name'])} | {row['effect']} | {plain(row['reason'])} |"
        for row in columns_of(watch)
        if row["drifted"]
    ]
    parts = [
        f"## {plain(watch.service)}: {word_of(watch)}",
        "",
        *(f"- {plain(one)}" for one in sentences(watch)),
        "",
        f"{plain(watch.model)} {plain(watch.version)} serves since {when(watch.since)}; "
        f"looked at {when(watch.now)}.",
        "",
        "| | |",
        "|---|---|",
        *facts,
        "",
    ]
    if rows:
        parts += ["### Drifted", "", "| column | effect | why |", "|---|---|---|", *rows, ""]
    return "\n".join([*parts, f"{link}.", ""])


def columns_of(watch: Watch) -> list[dict[str, str]]:
    """Return the columns of the newest judged window, those that drifted first, then by effect."""
    last = watch.judged
    if last is None:
        return []
    drift = last.body["drift"]
    effects = {name: said["effect"] for name, said in drift["effects"].items()}
    rows = sorted(
        drift["columns"], key=lambda c: (not c["drifted"], -(effects.get(c["name"]) or 0.0), c["name"])
    )
    return [
        {
            "name": row["name"],
            "kind": row["kind"],
            "drifted": "drifted" if row["drifted"] else "",
            "effect": _two(effects.get(row["name"])),
            "psi": _two(row["psi"]),
            "missing": _both(row["missing_reference"], row["missing_current"]),
            "reason": row["reason"],
        }
        for row in rows[:_MOST_COLUMNS]
    ]


def parts_of(watch: Watch) -> list[dict[str, str]]:
    """Return the segments over the cohorts of the last thirty days, the largest first."""
    sums: dict[str, list[float]] = {}
    for cohort in watch.recent:
        for name, part in cohort.body["sums"]["parts"].items():
            row = sums.setdefault(name, [0.0] * 4)
            row[0] += part["answered"]
            row[1] += part["labelled"]
            row[2] += part["labelled"] * (part["loss"] or 0.0)
            row[3] += part["labelled"] * (part["wrong"] or 0.0)
    wrong = any(p["wrong"] is not None for c in watch.recent for p in c.body["sums"]["parts"].values())
    return [
        {
            "name": name,
            "answered": f"{answered:,.0f}",
            "labelled": f"{labelled:,.0f}",
            "loss": number(loss / labelled) if labelled else NO_DATA,
            "wrong": f"{100 * bad / labelled:.1f} %" if labelled and wrong else NO_DATA,
        }
        for name, (answered, labelled, loss, bad) in sorted(sums.items(), key=lambda one: -one[1][0])
    ]


def check_words(watch: Watch) -> str:
    """Return how far estimates could be believed so far."""
    errors = [
        c.body["sums"]["loss"] - c.body["estimated"]
        for c in watch.cohorts
        if c.body["sums"]["loss"] is not None and c.body["estimated"] is not None
    ]
    if not errors:
        return "No estimate could be checked yet: labels of estimated windows are not mature."
    check = watch.cohorts[-1].body["check"]
    mean = sum(errors) / len(errors)
    said = (
        f"{len(errors)} estimates were checked against labels: off by {number(mean, signed=True)} in the "
        f"mean, by {number(max(map(abs, errors)))} at most."
    )
    if check is not None and check["raised"]:
        return f"{said} What a score means has changed since {check['since'][:10]}: do not rely on them."
    return f"{said} Nothing says that what a score means has changed."


def events_of(watch: Watch) -> list[tuple[str, str, str]]:
    """Return what happened, newest first: when, what, and in words."""
    told = [
        (datetime.fromisoformat(one["at"]), "drift", f"{', '.join(one['columns'])}: {one['reason']}")
        for one in drifts(watch)
    ]
    before = ""
    for one in (*watch.windows, *watch.cohorts):
        if one.verdict in _TOLD and one.verdict != before:
            told.append((one.since, one.verdict.replace("_", " "), "; ".join(one.body["reasons"])))
        before = one.verdict
    for done in watch.retrainings:
        said = {True: "accepted", False: "refused", None: "under way"}[done.accepted]
        opened = f"; rollout {done.rollout}" if done.rollout else ""
        why = f"{said} {done.version}".strip() + f"{opened}: {done.reason}"
        told.append((done.at, f"retraining, by {done.trigger}", why))
    told.sort(key=lambda one: one[0], reverse=True)
    return [(when(at), what, said) for at, what, said in told[:_MOST_EVENTS]]


def _two(value: Any) -> str:
    return "-" if value is None else f"{value:.3f}"


def _both(before: float | None, now: float | None) -> str:
    if before is None or now is None:
        return "-"
    return f"{100 * before:.1f} → {100 * now:.1f} %"
