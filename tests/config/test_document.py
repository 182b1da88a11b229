"""YAML as configurations need it: positions for everything, no surprises from YAML 1.1, no bombs."""

import pytest
import yaml

from proxy import limits
from proxy.config.document import Tree, scalar_value
from proxy.config.problem import Position


def read(text: str) -> tuple[object, Tree]:
    tree = Tree()
    tree.root = tree.compose(text, "x.yaml")
    if tree.root is None:
        return None, tree
    return tree.plain(tree.root, lambda node: scalar_value(node, node.value)), tree


def codes(text: str) -> list[str]:
    return [problem.code for problem in read(text)[1].problems]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("false", False),
        ("null", None),
        ("~", None),
        ("17", 17),
        ("-3", -3),
        ("0", 0),
        ("'17'", "17"),
        ('"true"', "true"),
        ("yes", "yes"),
        ("No", "No"),
        ("on", "on"),
        ("True", "True"),
        ("010", "010"),
        ("0o10", "0o10"),
        ("0x1F", "0x1F"),
        ("1_000", "1_000"),
        ("1e3", "1e3"),
        ("1.10", "1.10"),
        ("12:30:45", "12:30:45"),
        ("2024-01-01", "2024-01-01"),
        ("9" * 30, "9" * 30),
        ("!!str 17", "17"),
    ],
)
def test_a_scalar_means_what_it_looks_like(text: str, value: object) -> None:
    data, tree = read(f"key: {text}")
    assert not tree.problems
    assert data == {"key": value}
    assert type(data["key"]) is type(value)


def test_keys_are_text() -> None:
    assert read("{1: a, yes: b, null: c}")[0] == {"1": "a", "yes": "b", "null": "c"}


def test_every_value_knows_its_place() -> None:
    _, tree = read("a:\n  - b: é x\n    c: 2\n  - [3, 4]\n")
    assert tree.position(()) == Position("x.yaml", 1, 1)
    assert tree.position(("a", 0, "b")) == Position("x.yaml", 2, 8)
    assert tree.position(("a", 0, "b"), key=True) == Position("x.yaml", 2, 5)
    assert tree.position(("a", 1, 1)) == Position("x.yaml", 4, 9)


def test_a_place_that_is_not_written_is_the_nearest_one_above() -> None:
    _, tree = read("a:\n  b: 1\n")
    assert tree.position(("a", "b", "c", 7)) == tree.position(("a", "b"))
    assert tree.position(("a", "z")) == tree.position(("a",))


def test_an_item_written_without_its_list_is_the_first_item() -> None:
    _, tree = read("host: {regex: x}\n")
    assert tree.position(("host", 0, "regex")) == Position("x.yaml", 1, 15)


def test_a_tree_without_a_root_has_no_places() -> None:
    assert Tree().position(("a",)) == Position("", 0, 0)
    assert Tree().node(("a",)) is None


def test_anchors_and_merge_keys() -> None:
    data, tree = read(
        "base: &b {x: 1, y: 2}\nmore: &m {y: 3, z: 4}\none: {<<: *b, x: 9}\ntwo: {<<: [*m, *b]}\nsame: *b\n"
    )
    assert not tree.problems
    assert data["one"] == {"x": 9, "y": 2}
    assert data["two"] == {"y": 3, "z": 4, "x": 1}
    assert data["same"] is data["base"]
    assert tree.position(("one", "y")) == Position("x.yaml", 1, 20)
    assert tree.position(("two", "y")) == Position("x.yaml", 2, 14)


def test_a_quoted_merge_key_is_a_key() -> None:
    assert read("{'<<': 1}")[0] == {"<<": 1}


def test_a_mapping_that_merges_itself_ends() -> None:
    data, _ = read("a: &a {<<: *a, x: 1}\n")
    assert data == {"a": {"x": 1}}


def test_duplicate_keys_name_both_places() -> None:
    _, tree = read("a: 1\nb: 2\na: 3\n")
    [problem] = tree.problems
    assert problem.code == "duplicate-key"
    assert (problem.line, problem.column) == (3, 1)
    assert "line 1, column 1" in problem.message


def test_a_key_that_is_no_text() -> None:
    assert codes("[1]: a\n") == ["yaml-key"]


def test_tags_are_refused() -> None:
    assert codes("a: !python/object:os.system {}\n") == ["yaml-tag"]


@pytest.mark.parametrize("depth", [limits.CONFIG_DEPTH + 1, 1000, 100_000])
@pytest.mark.parametrize("one", ["[", "{a: ", "- "])
def test_depth_is_bounded(one: str, depth: int) -> None:
    # libyaml's composer overruns the C stack at some ten thousand levels.
    assert "too-deep" in codes(one * depth) + codes(one * depth + "x" + {"[": "]", "{": "}", "-": ""}[one[0]] * depth)


def test_allowed_depth_is_allowed() -> None:
    depth = limits.CONFIG_DEPTH - 1
    assert codes("[" * depth + "]" * depth) == []


def test_brackets_in_text_are_not_depth() -> None:
    assert codes("".join(f"k{number}: '[[[['\n" for number in range(100))) == []


def test_a_billion_laughs_are_counted_not_told() -> None:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x, x]"]
    lines += [
        f"{name}: &{name} [{', '.join(['*' + last] * 10)}]" for last, name in zip("abcdefg", "bcdefgh", strict=True)
    ]
    data, tree = read("\n".join(lines))
    assert data is None
    assert [problem.code for problem in tree.problems] == ["too-many-aliases"]


def test_honest_reuse_is_free() -> None:
    data, tree = read("common: &c [a, b]\n" + "".join(f"k{number}: *c\n" for number in range(5000)))
    assert not tree.problems
    assert data["k4999"] == ["a", "b"]


def test_an_alias_inside_its_anchor() -> None:
    assert "too-deep" in codes("a: &a [*a]\n")


@pytest.mark.parametrize("text", ["a: [1", "a: b: c", "\ta: 1", "a: *nothing", "a: 'x", "--- 1\n--- 2\n", "a: \x07"])
def test_what_is_not_yaml_is_a_problem_with_a_place(text: str) -> None:
    _, tree = read(text)
    [problem] = tree.problems
    assert problem.code == "yaml-syntax"
    assert problem.line >= 1
    assert problem.column >= 1


def test_the_same_problem_is_noted_once() -> None:
    tree = Tree()
    tree.root = tree.compose("a: 1", "x.yaml")
    for _ in range(2):
        tree.add_at("code", "words", ("a",))
    assert len(tree.problems) == 1


def test_problems_without_a_place_concern_the_first_file() -> None:
    tree = Tree()
    tree.compose("a: 1", "x.yaml")
    tree.add("code", "words", None)
    assert str(tree.problems[0]) == "x.yaml: error: words"


def test_an_empty_file() -> None:
    assert codes("") == ["empty"]
    tree = Tree()
    assert tree.compose("# nothing\n", "x.yaml", may_be_empty=True) is None
    assert not tree.problems


def test_the_pure_python_loader_gives_the_same() -> None:
    # Where PyYAML was built without libyaml; the tags come from our resolver either way.
    from proxy.config.document import _OnlyPlain

    class Slow(_OnlyPlain, yaml.SafeLoader):  # type: ignore[misc]  # both define the resolver's methods
        pass

    node = yaml.compose("a: yes\nb: 'yes'\n", Loader=Slow)
    assert isinstance(node, yaml.MappingNode)
    assert [scalar_value(value, value.value) for _, value in node.value] == ["yes", "yes"]
    assert [value.tag for _, value in node.value] == ["plain", "tag:yaml.org,2002:str"]
