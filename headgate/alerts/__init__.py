"""What people have to be told, in words that do at three in the morning. Values in, values out."""

from headgate.alerts.alert import Alert
from headgate.alerts.deriving import alerts_of
from headgate.alerts.masking import Mask, masked_route

__all__ = ["Alert", "Mask", "alerts_of", "masked_route"]
