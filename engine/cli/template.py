"""Go's text/template as far as `--format` uses it: fields, pipelines, functions, range, if, with, variables.

Follows https://pkg.go.dev/text/template and docker's extra functions (json, join, split, lower, upper,
title, pad, println, truncate). Field names are looked up exactly first, then without regard to case: docker's
templates name Go's fields (`.NetworkSettings.IPAddress`, `.HostConfig.NanoCPUs`) where its JSON spells some
differently.
"""

from __future__ import annotations

import re

from .errors import UsageError
from .suggest import closest
from .template_functions import FUNCTIONS, TemplateError, shown, truth

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    Part = Callable[["_Scope"], str]

_ACTION = re.compile(r"\{\{(-(?=\s))?\s*(.*?)\s*((?<=\s)-)?\}\}", re.DOTALL)
_TOKEN = re.compile(
    r"""\s*(?:
    (?P<string>"(?:[^"\\]|\\.)*"|`[^`]*`)
    |(?P<number>-?\d+(?:\.\d+)?)
    |(?P<declare>:=|=)
    |(?P<variable>\$\w*(?:\.\w+)*)
    |(?P<field>(?:\.\w+)+|\.)
    |(?P<word>\w+)
    |(?P<mark>[()|,])
    )""",
    re.VERBOSE,
)
_MISSING = object()


class Template:
    """A parsed template; raises `UsageError` when it cannot be parsed."""

    def __init__(self, source: str) -> None:
        try:
            self._parts = _Parser(source).parse()
        except TemplateError as error:
            raise UsageError(f"template parsing error: {error}", exit_code=1) from None

    def render(self, data: object) -> str:
        """The text for one object; raises `UsageError` when it lacks a field that the template names."""
        try:
            scope = _Scope(data, {"$": data})
            return "".join(part(scope) for part in self._parts)
        except TemplateError as error:
            raise UsageError(f"template: {error}", exit_code=1) from None


class _Scope:
    """The dot, and the variables, at one point of the evaluation."""

    def __init__(self, dot: object, variables: dict[str, object]) -> None:
        self.dot = dot
        self.variables = variables


class _Parser:
    """Turns the source into functions, one per part."""

    def __init__(self, source: str) -> None:
        self._pieces = list(_split(source))
        self._next = 0

    def parse(self) -> list[Part]:
        parts, ended_by = self._parse_until(())
        assert not ended_by
        return parts

    def _parse_until(self, ends: tuple[str, ...]) -> tuple[list[Part], str]:
        parts: list[Part] = []
        while self._next < len(self._pieces):
            is_action, text = self._pieces[self._next]
            self._next += 1
            if not is_action:
                parts.append(_literal(text))
                continue
            word, _, rest = text.partition(" ")
            if word in ("end", "else"):
                if word not in ends:
                    raise TemplateError(f"unexpected {{{{{word}}}}}")
                return parts, text
            if word in ("if", "with", "range"):
                parts.append(self._block(word, rest))
            elif not text.startswith("/*"):
                parts.append(_action(text))
        if ends:
            raise TemplateError("unexpected end of the template: {{end}} is missing")
        return parts, ""

    def _block(self, word: str, header: str) -> Part:
        names, pipeline = _declaration(header)
        body, ended_by = self._parse_until(("end", "else"))
        otherwise: list[Part] = []
        if ended_by != "end":
            rest = ended_by.removeprefix("else").strip()
            if rest:
                inner, _, inner_header = rest.partition(" ")
                otherwise = [self._block(inner, inner_header)]
            else:
                otherwise, _ = self._parse_until(("end",))
        if word == "range":
            return _range(names, pipeline, body, otherwise)
        return _condition(word == "with", names, pipeline, body, otherwise)


def _split(source: str) -> Iterator[tuple[bool, str]]:
    position, trim = 0, False
    for match in _ACTION.finditer(source):
        text = source[position : match.start()]
        yield False, _trimmed(text, trim, bool(match[1]))
        yield True, match[2]
        position, trim = match.end(), bool(match[3])
    rest = source[position:]
    if "{{" in rest:
        raise TemplateError("unclosed action")
    yield False, rest.lstrip() if trim else rest


def _trimmed(text: str, left: bool, right: bool) -> str:
    text = text.lstrip() if left else text
    return text.rstrip() if right else text


def _literal(text: str) -> Part:
    return lambda scope: text


def _action(text: str) -> Part:
    names, pipeline = _declaration(text)

    def part(scope: _Scope) -> str:
        value = pipeline(scope)
        if names:
            scope.variables[names[0]] = value
            return ""
        return shown(value)

    return part


def _condition(
    rebind: bool, names: list[str], pipeline: Callable[[_Scope], Any], body: list[Part], otherwise: list[Part]
) -> Part:
    def part(scope: _Scope) -> str:
        value = pipeline(scope)
        inner = _Scope(value if rebind and truth(value) else scope.dot, dict(scope.variables))
        for name in names:
            inner.variables[name] = value
        return "".join(piece(inner) for piece in (body if truth(value) else otherwise))

    return part


def _range(names: list[str], pipeline: Callable[[_Scope], Any], body: list[Part], otherwise: list[Part]) -> Part:
    def part(scope: _Scope) -> str:
        value = pipeline(scope)
        if isinstance(value, dict):
            pairs: list[tuple[object, object]] = sorted(value.items())
        elif isinstance(value, (list, tuple)):
            pairs = list(enumerate(value))
        elif value is None:
            pairs = []
        else:
            raise TemplateError(f"range can't iterate over {shown(value)}")
        text: list[str] = []
        for key, item in pairs:
            inner = _Scope(item, dict(scope.variables))
            if len(names) == 2:
                inner.variables[names[0]], inner.variables[names[1]] = key, item
            elif names:
                inner.variables[names[0]] = item
            text.extend(piece(inner) for piece in body)
        if not pairs:
            text.extend(piece(scope) for piece in otherwise)
        return "".join(text)

    return part


def _declaration(text: str) -> tuple[list[str], Callable[[_Scope], Any]]:
    """`$a, $b := pipeline`: the names and the pipeline."""
    tokens = _tokens(text)
    names: list[str] = []
    for index, (kind, _) in enumerate(tokens):
        if kind == "declare":
            names = [value for name, value in tokens[:index] if name == "variable"]
            tokens = tokens[index + 1 :]
            break
    if not tokens:
        raise TemplateError("missing value for command")
    pipeline, rest = _pipeline(tokens)
    if rest:
        raise TemplateError(f'unexpected "{rest[0][1]}" in {{{{{text}}}}}')
    return names, pipeline


def _tokens(text: str) -> list[tuple[str, str]]:
    tokens, position = [], 0
    text = text.rstrip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None or match.lastgroup is None:
            raise TemplateError(f'unexpected "{text[position:].strip()[:10]}" in {{{{{text}}}}}')
        tokens.append((match.lastgroup, match[match.lastgroup]))
        position = match.end()
    return tokens


def _pipeline(tokens: list[tuple[str, str]]) -> tuple[Callable[[_Scope], Any], list[tuple[str, str]]]:
    commands: list[list[Callable[[_Scope], Any]]] = [[]]
    functions: list[str] = [""]
    while tokens:
        kind, value = tokens[0]
        tokens = tokens[1:]
        if value == ")" and kind == "mark":
            tokens = [("mark", ")"), *tokens]
            break
        if value == "|" and kind == "mark":
            commands.append([])
            functions.append("")
        elif value == "(" and kind == "mark":
            inner, tokens = _pipeline(tokens)
            if not tokens:
                raise TemplateError("unclosed left paren")
            tokens = tokens[1:]
            path: list[str] = []
            if tokens and tokens[0][0] == "field" and tokens[0][1] != ".":
                path, tokens = tokens[0][1][1:].split("."), tokens[1:]
            commands[-1].append(_walked(inner, path))
        elif kind == "word" and value not in ("true", "false", "nil"):
            if value not in FUNCTIONS and value not in ("and", "or"):
                meant = closest(value, FUNCTIONS)
                raise TemplateError(f'function "{value}" not defined' + (f" (did you mean {meant}?)" if meant else ""))
            if commands[-1] or functions[-1]:
                commands[-1].append(_calling(value, []))
            else:
                functions[-1] = value
        else:
            commands[-1].append(_operand(kind, value))
    steps = list(zip(functions, commands, strict=True))
    if any(not name and not operands for name, operands in steps):
        raise TemplateError("missing value for command")

    def evaluate(scope: _Scope) -> Any:
        previous: list[Callable[[_Scope], Any]] = []
        for name, operands in steps:
            if name:
                value = _calling(name, [*operands, *previous])(scope)
            else:
                value = operands[0](scope)
                if callable(value):
                    value = value(*[operand(scope) for operand in (*operands[1:], *previous)])
                elif len(operands) > 1:
                    raise TemplateError(f"can't give argument to non-function {shown(value)}")
            previous = [_constant(value)]
        return value

    return evaluate, tokens


def _calling(name: str, operands: list[Callable[[_Scope], Any]]) -> Callable[[_Scope], Any]:
    def call(scope: _Scope) -> Any:
        if name in ("and", "or"):  # the two that stop at the first answer
            value: Any = None
            for operand in operands:
                value = operand(scope)
                if truth(value) == (name == "or"):
                    return value
            return value
        try:
            return FUNCTIONS[name](*[operand(scope) for operand in operands])
        except (TypeError, ValueError, AttributeError) as error:
            raise TemplateError(f"error calling {name}: {error}") from None

    return call


def _operand(kind: str, text: str) -> Callable[[_Scope], Any]:
    if kind == "string":
        if text[0] == "`":
            return _constant(text[1:-1])
        return _constant(_unquoted(text[1:-1]))
    if kind == "number":
        return _constant(float(text) if "." in text else int(text))
    if kind == "word":
        return _constant({"true": True, "false": False, "nil": None}[text])
    if kind == "field":
        return _walked(lambda scope: scope.dot, text[1:].split(".") if text != "." else [])
    if kind == "variable":
        name, _, path = text.partition(".")
        return _walked(_variable(name), path.split(".") if path else [])
    raise TemplateError(f'unexpected "{text}"')


def _constant(value: Any) -> Callable[[_Scope], Any]:
    return lambda scope: value


def _variable(name: str) -> Callable[[_Scope], Any]:
    def look(scope: _Scope) -> Any:
        if name not in scope.variables:
            raise TemplateError(f'undefined variable "{name}"')
        return scope.variables[name]

    return look


def _walked(base: Callable[[_Scope], Any], path: list[str]) -> Callable[[_Scope], Any]:
    def walk(scope: _Scope) -> Any:
        value = base(scope)
        for name in path:
            value = _field(value, name)
        return value

    return walk


def _field(value: Any, name: str) -> Any:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise TemplateError(f"can't evaluate field {name} in {shown(value)}")
    found = value.get(name, _MISSING)
    if found is not _MISSING:
        return found
    for key in value:
        if key.lower() == name.lower():
            return value[key]
    if name == "Label" and "Labels" in value:
        return _label_of(value["Labels"])
    # an object has docker's capitalised fields and a wrong name is a slip; a map (labels) may lack a key
    if not value or not all(key[:1].isupper() for key in value):
        return None
    meant = closest(name, value)
    raise TemplateError(f'map has no entry for key "{name}"' + (f" (did you mean .{meant}?)" if meant else ""))


def _label_of(text: Any) -> Callable[[str], str]:
    """docker's method of rows: one label's value; in a table's heading the end of its name."""
    labels = getattr(text, "labels", None)
    if labels is None:
        return lambda name: re.sub("[-_]", " ", name.rpartition(".")[2])
    return lambda name: str(labels.get(name, ""))


def _unquoted(text: str) -> str:
    escapes = {"n": "\n", "t": "\t", "r": "\r"}
    return re.sub(r"\\(.)", lambda match: escapes.get(match[1], match[1]), text, flags=re.DOTALL)
