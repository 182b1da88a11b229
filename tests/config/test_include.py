"""One configuration of several files."""

from pathlib import Path

import pytest

from proxy.config import Loaded, load


def written(directory: Path, **files: str) -> Loaded:
    for name, text in files.items():
        path = directory / name.replace("__", "/").replace("_yaml", ".yaml")
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return load(directory / "main.yaml", {})


MAIN = "include: [more.yaml]\nroutes:\n  - {name: last, respond: 204}\n"


def test_lists_follow_each_other_and_mappings_stand_side_by_side(tmp_path: Path) -> None:
    loaded = written(
        tmp_path,
        main_yaml=MAIN + "upstreams: {a: {servers: http://a}}\n",
        more_yaml="upstreams: {b: {servers: http://b}}\nroutes: [{path: /, upstream: a}, {path: /b, upstream: b}]\n",
    )
    config = loaded.require()
    assert list(config.upstreams) == ["a", "b"]
    assert [route.upstream for route in config.routes] == [None, "a", "b"]
    position = loaded.position(("routes", 2))
    assert (Path(position.file).name, position.line) == ("more.yaml", 2)
    assert [Path(name).name for name in loaded.files] == ["main.yaml", "more.yaml"]


def test_what_only_an_included_file_says(tmp_path: Path) -> None:
    main = "include: more.yaml\nroutes:\n  - {upstream: 'http://a', gates: [x]}\n"
    loaded = written(tmp_path, main_yaml=main, more_yaml="gates: {x: [{add_prefix: /x}]}\n")
    assert loaded.require().routes[0].gates[0].add_prefix == b"/x"


def test_a_directory_gives_its_files_by_name(tmp_path: Path) -> None:
    loaded = written(
        tmp_path,
        main_yaml=MAIN.replace("more.yaml", "d"),
        d__2_yaml="routes: [{path: /2, respond: 204}]\n",
        d__1_yaml="routes: [{path: /1, respond: 204}]\n",
        d__readme="not a configuration: [\n",
        **{"d__.hidden_yaml": "neither: [\n"},
    )
    paths = [route.path[0].prefix for route in loaded.require().routes if route.path]
    assert paths == ["/1", "/2"]


def test_included_files_include_and_paths_start_beside_them(tmp_path: Path) -> None:
    loaded = written(
        tmp_path,
        main_yaml=MAIN.replace("more.yaml", "d/a.yaml"),
        d__a_yaml="include: b.yaml\nroutes: [{path: /s, static: files}]\n",
        d__b_yaml="routes: [{path: /b, respond: '${file:../main.yaml}'}]\n",
    )
    assert [problem.code for problem in loaded.errors] == ["type"]  # what is in the file is no status, but it was found
    (tmp_path / "d" / "b.yaml").write_text("")
    routes = load(tmp_path / "main.yaml", {}).require().routes
    assert [route.static.root for route in routes if route.static] == [str(tmp_path / "d" / "files")]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("include: main.yaml\n", "includes itself"),
        ("include: more.yaml\n", "includes itself"),
        ("listen: tcp:1\n", "`listen` belongs in the main file"),
        ("rutes: 1\n", "unknown key `rutes`"),
        ("routes: {}\n", "`routes` must be a list"),
        ("upstreams: []\n", "`upstreams` must be a mapping"),
        ("- 1\n", "must be a mapping"),
        ("routes: [\n", "not YAML"),
        ("routes: [{name: last, respond: 204}]\n", "two routes are named `last`"),
    ],
)
def test_what_an_included_file_may_not_say(tmp_path: Path, more: str, message: str) -> None:
    loaded = written(tmp_path, main_yaml=MAIN, more_yaml=more)
    assert loaded.config is None
    assert any(message in problem.message for problem in loaded.problems)


def test_a_key_that_is_misspelled(tmp_path: Path) -> None:
    [problem] = written(tmp_path, main_yaml=MAIN, more_yaml="rutes: 1\n").problems
    assert (problem.code, problem.hint) == ("unknown-key", "did you mean `routes`?")
    [problem] = written(tmp_path, main_yaml=MAIN, more_yaml="xyz: 1\n").problems
    assert problem.hint.startswith("an included file may have upstreams, ")


def test_an_included_file_that_is_no_text_says_where(tmp_path: Path) -> None:
    (tmp_path / "more.yaml").write_bytes("routes:\n  - # é ".encode() + b"\xe9\n")
    [problem] = written(tmp_path, main_yaml=MAIN).problems
    assert str(problem).endswith("more.yaml:2:9: error: the file is not UTF-8 text")
    assert problem.source == "  - # é �"


def test_a_file_included_twice(tmp_path: Path) -> None:
    loaded = written(tmp_path, main_yaml=MAIN.replace("more.yaml", "more.yaml, more.yaml"), more_yaml="tests: []\n")
    assert "included twice" in loaded.problems[0].message


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    [problem] = written(tmp_path, main_yaml=MAIN).problems
    assert problem.code == "include"
    assert (problem.line, problem.column) == (1, 11)


def test_a_wrong_include_is_the_models_to_report(tmp_path: Path) -> None:
    [problem] = written(tmp_path, main_yaml=MAIN.replace("[more.yaml]", "[[more.yaml]]")).problems
    assert problem.code == "type"


def test_a_key_in_two_files_names_both(tmp_path: Path) -> None:
    upstreams = "upstreams: {a: {servers: http://a}}\n"
    loaded = written(tmp_path, main_yaml=MAIN + upstreams, more_yaml=upstreams)
    [problem] = loaded.errors
    assert problem.code == "duplicate-key"
    assert problem.file.endswith("more.yaml")
    assert "main.yaml:4:13" in problem.message


def test_an_empty_file_adds_nothing(tmp_path: Path) -> None:
    assert written(tmp_path, main_yaml=MAIN, more_yaml="# later\n").config is not None


def test_everything_it_is_made_of_is_known_also_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    loaded = written(
        tmp_path,
        main_yaml="include: [empty, d, nowhere.yaml]\nroutes: [{respond: {body: '${file:key} ${file:none}'}}]\n",
        d__a_yaml="tests: []\n",
        key="abc\n",
    )
    names = ["main.yaml", "d/a.yaml", "d", "empty", "key", "none", "nowhere.yaml"]
    assert loaded.inputs == tuple(str(tmp_path / name) for name in names)
