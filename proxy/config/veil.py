"""What of a configuration must not be shown, and the words that stand in its place.

Secrets are masked, each by a word made of its own hash: two configurations can be compared without being read.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection
from typing import Any

from proxy.config.problem import Position

#: Names of header fields and of query parameters whose values are nobody's business.
SECRET_FIELDS = re.compile(
    rb"(?i)(?:(?:proxy-)?authorization|.*(?:(?:api|access|private)[-_]?key|token|secret|passw(?:or)?d|credential).*)\Z"
)
#: The same of environment variables.
SECRET_VARIABLES = re.compile(
    r"(?i)(?:.*(?:token|secret|passw(?:or)?d|passphrase|credential).*|(?:.*_)?(?:key|auth(?:orization)?))\Z"
)

# A secret of fewer characters is found in texts that have nothing to do with it: it counts only as a whole value.
_FOUND_INSIDE = 6
_USER = re.compile(r"(?<=://)[^/?#\s@]+(?=@)")
_PARAMETER = re.compile(r"(?<=[?&])([^=&#\s]+)=(?!\*\*\*)([^&#\s`'\"]+)")
_QUOTED = re.compile(r"([`'\"])(.*?)\1")


class Veil:
    """Tells what must not be shown.

    @param secrets: texts that nobody may see, whatever holds them.
    @param known: what whoever will read it has said: in sentences, that is no secret.
    """

    def __init__(self, secrets: Collection[str] = (), known: str = "") -> None:
        self._known = known
        self._secrets = frozenset(filter(None, secrets))
        long = sorted((secret for secret in self._secrets if len(secret) >= _FOUND_INSIDE), key=len, reverse=True)
        self._inside = re.compile("(?i)" + "|".join(map(re.escape, long))) if long else None

    def covers(self, name: object, within: str) -> bool:
        """Whether the values are secret that people keep under a name of their own choice.

        @param name: bytes for a header field, text for everything else.
        @param within: the key of the configuration that holds such names.
        """
        if not isinstance(name, bytes) and within != "query":
            return False  # an upstream, say: it may well be called `token`
        return SECRET_FIELDS.match(name if isinstance(name, bytes) else str(name).encode()) is not None

    def over(self, value: Any, hidden: bool = False) -> Any:
        """A plain value, masked where it must be. Of a URL only the user, and parameters with secret names, are.

        @param hidden: it stands below a key whose values are secret.
        """
        if not isinstance(value, str) or not value:
            return value
        if hidden or value in self._secrets or (self._inside is not None and self._inside.search(value)):
            return masked(value)
        return self._without_credentials(value)

    def within(self, text: str) -> str:
        """A sentence, with whatever in it must not be shown masked."""
        if self._inside is not None:
            text = self._inside.sub(self._unknown, text)
        if self._secrets:
            text = _QUOTED.sub(self._quoted, text)
        return self._without_credentials(text)

    def _without_credentials(self, text: str) -> str:
        if "://" in text:
            text = _USER.sub(self._unknown, text)
        return _PARAMETER.sub(self._parameter, text) if "?" in text else text

    def _parameter(self, found: re.Match[str]) -> str:
        name, value = found[1], found[2]
        if found[0] in self._known or not SECRET_FIELDS.match(name.encode()):
            return found[0]
        return f"{name}={masked(value)}"

    def _unknown(self, found: re.Match[str]) -> str:
        return found[0] if found[0] in self._known else masked(found[0])

    def _quoted(self, found: re.Match[str]) -> str:
        mark, inside = found[1], found[2]
        return f"{mark}{masked(inside)}{mark}" if inside in self._secrets else found[0]

    def through(self, value: Any) -> Any:
        """A JSON value, with every text in it as `within` gives it."""
        if isinstance(value, str):
            return self.within(value)
        if isinstance(value, dict):
            return {key: self.through(member) for key, member in value.items()}
        if isinstance(value, list | tuple):
            return [self.through(item) for item in value]
        return value

    def about(self, own: str, written: str, text: str, instead: str) -> str:
        """A sentence about the secret `own`: also of a part of it, or in other letters, nothing may be left.

        @param written: what is said in its place.
        @param instead: what is said where something is left.
        """
        known = own.lower()
        pieces = re.split(rf"(?<!\w){re.escape(own)}(?!\w)", text)
        parts = (piece[at : at + _FOUND_INSIDE] for piece in pieces for at in range(len(piece) - _FOUND_INSIDE + 1))
        return instead if any(part.lower() in known for part in parts) else self.within(written.join(pieces))


class Secrets:
    """The values of a configuration that came from elsewhere to be kept there, and where they stand.

    @ivar texts: what nothing may show.
    """

    def __init__(self) -> None:
        self.texts: set[str] = set()
        self._standing: dict[Position, tuple[str, str]] = {}
        self._veil: Veil | None = None

    def hide(self, place: Position, secret: str, written: str) -> None:
        """What stands at `place` is a secret.

        @param written: how it is written there, such as `Bearer ${API_TOKEN}`.
        """
        self._standing[place] = secret, written
        self.texts.add(secret)
        self._veil = None

    def left_out(self, place: Position | None, message: str, hint: str) -> tuple[str, str]:
        """What is said about the value at `place`, or about none, and what to do, without any secret."""
        if self._veil is None:
            self._veil = Veil(self.texts)
        veil, (own, written) = self._veil, self._standing.get(place, ("", "")) if place is not None else ("", "")
        if not own:
            return veil.within(message), veil.within(hint)
        instead = f"what `{written}` stands for cannot be used here; it is not shown"
        return veil.about(own, written, message, instead), veil.about(own, written, hint, "")


def masked(secret: str | bytes) -> str:
    """A word that stands for a secret: the same for the same one, and of no other use."""
    raw = secret.encode() if isinstance(secret, str) else secret
    return f"*** ({hashlib.sha256(b'reverseproxy shown ' + raw).hexdigest()[:8]})"

