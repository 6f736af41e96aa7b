"""The charts of a rollout, as SVG elements to put into a page. Importing this imports matplotlib."""

from headgate.report.climb_chart import climb_chart
from headgate.report.gate_chart import gate_chart
from headgate.report.traffic_chart import traffic_chart

__all__ = ["climb_chart", "gate_chart", "traffic_chart"]
