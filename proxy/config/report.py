"""Problems as text for people, JSON or SARIF for programs, or annotations for a build on GitHub."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, Literal
from urllib.parse import quote

from proxy.config.problem import Problem

Format = Literal["text", "json", "github", "sarif"]


def render(problems: Sequence[Problem], form: Format = "text", *, color: bool = False) -> str:
    """All of `problems`, "" where there are none (except as JSON, which is always a list). No line end at the end."""
    if form == "json":
        return json.dumps([as_json(problem) for problem in problems], indent=2, ensure_ascii=False)
    if form == "sarif":
        return json.dumps(_as_sarif(problems), indent=2, ensure_ascii=False)
    if form == "github":
        return "\n".join(_as_annotation(problem) for problem in problems)
    return "\n".join(problem.render(color) for problem in problems)


def summary(problems: Iterable[Problem]) -> str:
    """How many there are: `2 errors, 1 warning`, or `no problems`."""
    severities = [problem.severity for problem in problems]
    counts = [(severities.count("error"), "error"), (severities.count("warning"), "warning")]
    words = [f"{count} {word}{'s' if count > 1 else ''}" for count, word in counts if count]
    return ", ".join(words) or "no problems"


def as_json(problem: Problem) -> dict[str, str | int]:
    """A problem for programs."""
    return {
        "severity": problem.severity,
        "code": problem.code,
        "message": problem.message,
        "hint": problem.hint,
        "file": problem.file,
        "line": problem.line,
        "column": problem.column,
    }


def _as_sarif(problems: Sequence[Problem]) -> dict[str, Any]:
    """One run: https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html."""
    rules = sorted({problem.code for problem in problems})
    driver = {"name": "reverseproxy check", "rules": [{"id": code} for code in rules]}
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "results": [_as_result(problem, rules) for problem in problems]}],
    }


def _as_result(problem: Problem, rules: Sequence[str]) -> dict[str, Any]:
    # Section 3.30: columns count from 1, and the end is the first character behind the region.
    region = {
        "startLine": problem.line,
        "startColumn": problem.column,
        "endColumn": problem.column + problem.width,
    }
    location: dict[str, Any] = {"artifactLocation": {"uri": quote(problem.file)}}
    if problem.line:
        location["region"] = region
    return {
        "ruleId": problem.code,
        "ruleIndex": rules.index(problem.code),
        "level": problem.severity,
        "message": {"text": f"{problem.message}; {problem.hint}" if problem.hint else problem.message},
        "locations": [{"physicalLocation": location}],
    }


def _as_annotation(problem: Problem) -> str:
    """A workflow command: https://docs.github.com/actions/reference/workflow-commands-for-github-actions."""
    text = f"{problem.message}; {problem.hint}" if problem.hint else problem.message
    file = _escaped(problem.file).replace(",", "%2C").replace(":", "%3A")
    where = f"file={file}" + (f",line={problem.line},col={problem.column}" if problem.line else "")
    return f"::{problem.severity} {where},title={problem.code}::{_escaped(text)}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
