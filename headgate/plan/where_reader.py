"""Reads the text of an expression about requests: by hand, token by token, never run as code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from headgate.errors import InputError
from headgate.plan.where_terms import SIGNS, Both, Comparison, Literal, Node, Not, kind_of

_ORDER = frozenset({"<", "<=", ">", ">="})
_WORDS = frozenset({"and", "or", "not", "in", "true", "false"})
_TOKEN = re.compile(
    r"""\s*(?:(?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(?![\w.])"""
    r"""|(?P<text>'[^']*'|"[^"]*")|(?P<column>`[^`]+`)|(?P<word>[^\W\d]\w*)|(?P<sign>[=!<>]=|[<>(),]))"""
)
#: Deeper nesting than anybody writes; a bound, so that no text can exhaust the stack.
_DEEPEST = 50


def read(text: str) -> Node:
    """Return what a text says.

    Raises
    ------
    InputError
        If it cannot be read: position (from 1), what was asked, what was found, what to do.
    """
    reader = _Reader(text, tuple(_tokens(text)))
    root = reader.either(0)
    if reader.here.kind != "end":
        raise reader.wrong("and, or, or the end")
    return root


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str  # number, text, column, word, sign, end
    text: str
    position: int


def _tokens(text: str) -> Iterator[_Token]:
    at = 0
    end = len(text.rstrip())
    while at < end:
        found = _TOKEN.match(text, at)
        if found is None:
            start = at + len(text[at:]) - len(text[at:].lstrip())
            raise _unreadable(text, start, "a column, a sign or a literal", f"{text[start]!r}")
        kind = str(found.lastgroup)
        yield _Token(kind, found[kind], found.start(kind))
        at = found.end()
    yield _Token("end", "", end)


def _unreadable(text: str, start: int, asked: str, found: str) -> InputError:
    return InputError(
        f"where, position {start + 1} of {text!r}: asked {asked}; found {found}; "
        "write it like: origin == 'JFK' and distance >= 500"
    )


class _Reader:
    """Walks the tokens; one method per level of the grammar."""

    def __init__(self, text: str, tokens: tuple[_Token, ...]) -> None:
        self._text, self._tokens, self._at = text, tokens, 0

    @property
    def here(self) -> _Token:
        return self._tokens[self._at]

    def wrong(self, asked: str) -> InputError:
        return _unreadable(self._text, self.here.position, asked, self.here.text or "the end")

    def either(self, depth: int) -> Node:
        if depth > _DEEPEST:
            raise self.wrong(f"at most {_DEEPEST} levels of parentheses and nots")
        node = self._all(depth)
        while self._took("or"):
            node = Both(node, self._all(depth), both=False)
        return node

    def _all(self, depth: int) -> Node:
        node = self._one(depth)
        while self._took("and"):
            node = Both(node, self._one(depth), both=True)
        return node

    def _one(self, depth: int) -> Node:
        if depth > _DEEPEST:
            raise self.wrong(f"at most {_DEEPEST} levels of parentheses and nots")
        if self._took("not"):
            return Not(self._one(depth + 1))
        if self._took("("):
            node = self.either(depth + 1)
            self._expect(")")
            return node
        return self._comparison()

    def _comparison(self) -> Comparison:
        token = self._next("a column name", "word", "column")
        if token.text in _WORDS:
            self._at -= 1
            raise self.wrong("a column name (one of these words stands in backticks)")
        column = token.text.strip("`")
        if self._took("not"):
            self._expect("in")
            return Comparison(column, "not in", self._list())
        if self._took("in"):
            return Comparison(column, "in", self._list())
        if self.here.text not in SIGNS:
            raise self.wrong("one of == != < <= > >= in, not in")
        sign = self._next("a sign", "sign").text
        literal = self._literal()
        if sign in _ORDER and isinstance(literal, bool):
            self._at -= 1
            raise self.wrong(f"a number or text after {sign}")
        return Comparison(column, sign, (literal,))

    def _list(self) -> tuple[Literal, ...]:
        self._expect("(")
        literals = [self._literal()]
        while self._took(","):
            if self.here.text == ")":  # a comma behind the last one, as in Python
                break
            literals.append(self._literal())
            if kind_of(literals[-1]) != kind_of(literals[0]):
                self._at -= 1
                raise self.wrong(f"{kind_of(literals[0])}, as before")
        self._expect(")")
        return tuple(literals)

    def _literal(self) -> Literal:
        asked = "text in quotes, a number, true or false"
        token = self._next(asked, "text", "number", "word")
        match token.kind:
            case "text":
                return token.text[1:-1]
            case "number":
                return float(token.text)
        if token.text.lower() not in ("true", "false"):
            self._at -= 1
            raise self.wrong(asked)
        return token.text.lower() == "true"

    def _took(self, text: str) -> bool:
        taken = self.here.kind in ("word", "sign") and self.here.text == text
        self._at += taken
        return taken

    def _expect(self, text: str) -> None:
        if not self._took(text):
            raise self.wrong(text)

    def _next(self, asked: str, *kinds: str) -> _Token:
        token = self.here
        if token.kind not in kinds:
            raise self.wrong(asked)
        self._at += 1
        return token
