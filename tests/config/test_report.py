"""Problems for people and for programs."""

import json

from proxy.config.problem import Problem
from proxy.config.report import render, summary

ERROR = Problem("error", "type", "50% wrong", "a:b,c.yaml", 3, 5, "  x: y", 1, "write z")
WARNING = Problem("warning", "unused", "words", "a.yaml")


def test_text() -> None:
    assert render([ERROR, WARNING]) == ERROR.render() + "\n" + WARNING.render()
    assert render([]) == ""


def test_json() -> None:
    first, second = json.loads(render([ERROR, WARNING], "json"))
    assert first == {
        "severity": "error", "code": "type", "message": "50% wrong", "hint": "write z", "file": "a:b,c.yaml", "line": 3,
        "column": 5,
    }  # fmt: skip
    assert second["line"] == 0
    assert json.loads(render([], "json")) == []


def test_annotations_are_escaped() -> None:
    assert render([ERROR], "github") == "::error file=a%3Ab%2Cc.yaml,line=3,col=5,title=type::50%25 wrong; write z"
    assert render([WARNING], "github") == "::warning file=a.yaml,title=unused::words"


def test_sarif() -> None:
    said = json.loads(render([ERROR, WARNING], "sarif"))
    assert said["version"] == "2.1.0"
    [run] = said["runs"]
    assert run["tool"]["driver"]["rules"] == [{"id": "type"}, {"id": "unused"}]
    first, second = run["results"]
    assert (first["ruleId"], first["ruleIndex"], first["level"]) == ("type", 0, "error")
    assert first["message"] == {"text": "50% wrong; write z"}
    assert first["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "a%3Ab%2Cc.yaml"},
        "region": {"startLine": 3, "startColumn": 5, "endColumn": 6},
    }
    # What concerns the file as a whole has no region.
    assert second["locations"][0]["physicalLocation"] == {"artifactLocation": {"uri": "a.yaml"}}
    assert json.loads(render([], "sarif"))["runs"][0]["results"] == []


def test_the_summary_counts() -> None:
    assert summary([]) == "no problems"
    assert summary([ERROR]) == "1 error"
    assert summary([WARNING, ERROR, ERROR]) == "2 errors, 1 warning"
