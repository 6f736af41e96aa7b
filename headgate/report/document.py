"""Small pages in the look of the report: one self-contained HTML file, text escaped, nothing fetched."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from headgate.report import formats


def render(package: str, template: str, values: Mapping[str, Any]) -> str:
    """Return a template of one package's own, which may include the report's style.

    Parameters
    ----------
    package
        Whose ``templates`` folder holds it, e.g. ``headgate.power``.
    template
        Its name in there.
    values
        What it shows. Charts have to be `markupsafe.Markup`; everything else is escaped.
    """
    made = Environment(
        loader=ChoiceLoader([PackageLoader(package), PackageLoader("headgate.report")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["when"] = formats.when
    return made.get_template(template).render(**values) + "\n"
