"""What callers are shown where they come over TLS."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from headgate.errors import PlaneUnavailable


@dataclass(frozen=True, slots=True)
class Tls:
    """Files in PEM: the certificate with the chain that leads to its root, and the private key."""

    certificate: Path
    key: Path

    def in_one(self) -> str:
        """Return certificate and key in one text.

        Raises
        ------
        PlaneUnavailable
            If one cannot: the proxy's own words would name neither the setting nor the way out.
        """
        parts = []
        for what, path in (("certificate", self.certificate), ("key", self.key)):
            try:
                parts.append(path.read_text(encoding="ascii").strip())
            except (OSError, UnicodeDecodeError) as err:
                found = getattr(err, "strerror", None) or "no text in PEM"
                raise PlaneUnavailable(
                    f"asked for the {what} that callers are shown, in {path}; found {found}; correct "
                    f"HEADGATE_PLANE_{what.upper()} or put the file there in PEM"
                ) from err
        return "\n".join(parts) + "\n"
