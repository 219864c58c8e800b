//! Lists, maps, `in`, `has` and the macros.

use creto_expression::FaultKind;

use crate::facts::{all_fail, all_false, all_refused, all_true};

#[test]
fn lists_are_indexed_searched_and_joined() {
    all_true(&[
        "[1, 2, 3][0] == 1",
        "[1, 2, 3][2u] == 3",
        "[1, 2, 3][dyn(1.0)] == 2",
        "llm.tools[1] == 'fetch'",
        "mcp.tool.arguments.labels[0] == 'bug'",
        "mcp.tool.arguments.filter.pages[2] == 3",
        "request.method in ['GET', 'POST']",
        "!(request.method in ['GET', 'PUT'])",
        "'search' in llm.tools && !('x' in llm.tools)",
        "'ui' in mcp.tool.arguments.labels",
        "2 in mcp.tool.arguments.filter.pages && !('2' in mcp.tool.arguments.filter.pages)",
        "t.any in ['7', 7, null]",
        "[1] in [[1], [2]]",
        "!(1 in [])",
        "[1, 2] + [3] == [1, 2, 3]",
        "llm.tools + ['x'] == ['search', 'fetch', 'x']",
        "[1, 2] == [1.0, 2u]",
        "[[1], [dyn('a')]] == [[1], ['a']]",
        "[1, 2] != [2, 1] && [1] != [1, 1]",
        "mcp.tool.arguments.labels == ['bug', 'ui']",
        "[dyn(1), 'a', null, true][2] == null",
    ]);
    all_fail(
        FaultKind::NoSuchIndex,
        &[
            ("[1][1] == 1", "[1][1]"),
            ("[1][-1] == 1", "[1][-1]"),
            ("[1][0.5] == 1", "[1][0.5]"),
            ("llm.tools[2] == ''", "llm.tools[2]"),
            ("mcp.tool.arguments.labels[2] == ''", "mcp.tool.arguments.labels[2]"),
        ],
    );
    all_fail(
        FaultKind::NoOverload,
        &[
            ("mcp.tool.arguments.labels['x'] == 1", "mcp.tool.arguments.labels['x']"),
            ("t.any[0] == 1", "t.any[0]"),
            ("1 in t.any", "1 in t.any"),
            ("dyn([1]) in {'a': 1}", "dyn([1]) in {'a': 1}"),
        ],
    );
    all_refused(&[
        ("llm.tools['a'] == ''", "'a'", "a list has no index of type string"),
        ("1 in llm.tools", "1 in llm.tools", "a value of type int is never among those of type string"),
        (
            "'a' in request.host",
            "'a' in request.host",
            "`in` searches lists and maps, and this is of type string",
        ),
        ("request.host[0] == 'a'", "request.host[0]", "a value of type string has no index"),
    ]);
}

#[test]
fn maps_are_read_by_key_and_by_field() {
    all_true(&[
        "{'a': 1}['a'] == 1 && {'a': 1}.a == 1",
        "{1: 'a'}[1u] == 'a' && {1u: 'a'}[1] == 'a' && {true: 'a'}[true] == 'a'",
        "request.headers['x-team'] == 'search'",
        "request.headers.`x-team` == 'search'",
        "agent.labels['x-team'] == 'search'",
        "'x-team' in request.headers && !('x-debug' in request.headers)",
        "mcp.tool.arguments['repo'] == mcp.tool.arguments.repo",
        "mcp.tool.arguments.filter.state == 'open'",
        "mcp.tool.arguments[''] == 0",
        "'repo' in mcp.tool.arguments && !(1 in mcp.tool.arguments)",
        "1 in {1: 2} && !(2 in {1: 2})",
        "{'a': 1, 'b': 2} == {'b': 2.0, 'a': 1u}",
        "{'a': 1} != {'a': 2} && {'a': 1} != {'b': 1} && {'a': 1} != {}",
        "mcp.tool.arguments.filter == {'pages': [1, 2, 3], 'state': 'open'}",
        "{'a': {'b': t.int}}.a.b == -7",
        "mcp.tool.arguments.none == null",
    ]);
    all_fail(
        FaultKind::NoSuchKey,
        &[
            ("{'a': 1}['b'] == 1", "{'a': 1}['b']"),
            ("request.headers['x-debug'] == ''", "request.headers['x-debug']"),
            ("mcp.tool.arguments.force == true", "mcp.tool.arguments.force"),
            ("mcp.tool.arguments[1] == 1", "mcp.tool.arguments[1]"),
        ],
    );
    all_fail(
        FaultKind::DuplicateKey,
        &[("{t.int: 1, -7: 2} == {}", "-7"), ("{t.any: 1, t.uint: 2} == {}", "t.uint")],
    );
    all_fail(
        FaultKind::NoOverload,
        &[
            ("{dyn(t.double): 1} == {}", "dyn(t.double)"),
            ("mcp.tool.arguments.repo.owner == ''", "mcp.tool.arguments.repo.owner"),
        ],
    );
    all_refused(&[
        ("{1: 1, 1u: 2} == {}", "1u", "this key is there twice"),
        ("{1.5: 1} == {}", "1.5", "a value of type double cannot be a key"),
        ("{dyn(1.5): 1} == {}", "dyn(1.5)", "a value of type double cannot be a key"),
        ("{t.double: 1} == {}", "t.double", "a value of type double cannot be a key"),
        ("request.headers[1] == ''", "1", "the keys of this map are of type string, and this is int"),
        ("request.host.name == ''", "name", "a value of type string has no fields"),
    ]);
}

#[test]
fn has_asks_without_failing() {
    all_true(&[
        "has(mcp.tool.arguments.repo) && !has(mcp.tool.arguments.force)",
        "has(mcp.tool.arguments.none)",
        "has(mcp.tool.arguments.filter.state) && !has(mcp.tool.arguments.filter.x)",
        "has(request.method) && has(request.headers)",
        "has(request.headers.`x-team`) && !has(request.headers.`x-debug`)",
        "has({'a': 1}.a) && !has({'a': 1}.b)",
        "!has(t.nothing)",
        "!has(t.nothing.field)",
        "!has(t.nothing.field.other)",
    ]);
    all_fail(FaultKind::NoSuchKey, &[("has(mcp.tool.arguments.force.x)", "mcp.tool.arguments.force")]);
    all_fail(FaultKind::NoOverload, &[("has(mcp.tool.arguments.repo.x)", "has(mcp.tool.arguments.repo.x)")]);
    all_refused(&[
        ("has(request)", "request", "has() takes a name with a dot before its last word"),
        (
            "has(request.headers['x'])",
            "request.headers['x']",
            "has() takes a name with a dot before its last word",
        ),
        ("has(request.method.x)", "x", "a value of type string has no fields"),
        ("has(mcp.tool)", "mcp.tool", "`mcp.tool` is a group of attributes, not a value"),
    ]);
}

#[test]
fn macros_go_through_lists_and_keys() {
    all_true(&[
        "[1, 2, 3].all(x, x > 0) && ![1, 2, 3].all(x, x > 1) && [].all(x, false)",
        "[1, 2, 3].exists(x, x > 2) && ![1, 2, 3].exists(x, x > 3) && ![].exists(x, true)",
        "[1, 2, 3].exists_one(x, x > 2) && ![1, 2, 3].exists_one(x, x > 1) && ![].exists_one(x, true)",
        "[1, 2, 3].filter(x, x % 2 == 1) == [1, 3]",
        "[1, 2, 3].map(x, x * 2) == [2, 4, 6]",
        "[1, 2, 3].map(x, x > 1, x * 2) == [4, 6]",
        "llm.tools.all(tool, tool.size() > 4)",
        "llm.tools.exists(tool, tool.startsWith('fe'))",
        "request.headers.exists(name, name.startsWith('x-') && request.headers[name] == 'search')",
        "mcp.tool.arguments.labels.all(label, label in ['bug', 'ui'])",
        "mcp.tool.arguments.exists(key, key == 'filter')",
        "{'a': 1, 'b': 2}.all(k, {'a': 1, 'b': 2}[k] < 3)",
        "[[1, 2], [3]].all(row, row.exists(x, x == 1 || row.size() == 1))",
        "[1, 2].map(x, [3, 4].map(y, x * y)) == [[3, 4], [6, 8]]",
        "[1, 2].exists(x, [x, 3].exists(x, x == 3) && x == 2)",
        "['POST'].exists(request, request == 'POST')",
        "[1].all(request, .request.method == 'POST')",
        "[1, 2, 3].filter(x, x > 1).map(x, x + 1).exists(x, x == 4)",
    ]);
    all_fail(
        FaultKind::NoOverload,
        &[("t.any.all(x, true)", "t.any"), ("mcp.tool.arguments.labels.all(x, x)", "x")],
    );
    all_refused(&[
        ("t.int.all(x, true)", "t.int", "all() goes through lists and maps, and this is of type int"),
        ("[1].all(x, x)", "x", "all() takes true or false, and this is of type int"),
        ("[1].all(1, true)", "1", "the first argument of all() is the name of a variable"),
        ("[1].all(a.b, true)", "a.b", "the first argument of all() is the name of a variable"),
        ("[1].all(true)", "all", "all() takes a variable and an expression"),
        ("[1].all(i, x, true)", "all", "all() with two variables is not supported"),
        (
            "[1].map(x, x, x) == []",
            "x",
            "the second argument of map() takes true or false, and this is of type int",
        ),
        ("[1].all(x, true) && x == 1", "x", "there is no attribute `x`"),
    ]);
}

#[test]
fn a_macro_settles_what_its_other_elements_cannot_change() {
    all_true(&["[0, 1].exists(x, 1 / x == 1)", "[dyn('a'), 1].exists(x, x > 0)", "[2, 0].map(x, x)[1] == 0"]);
    all_false(&["[0, 1].all(x, 1 / x == 2)", "[1, 0].all(x, 1 / x == 2)"]);
    all_fail(
        FaultKind::DivisionByZero,
        &[
            ("[0, 1].exists(x, 1 / x == 2)", "1 / x"),
            ("[0, 1].all(x, 1 / x == 1)", "1 / x"),
            ("[1, 0].exists_one(x, 1 / x == 1)", "1 / x"),
            ("[1, 0].filter(x, 1 / x == 1) == [1]", "1 / x"),
            ("[1, 0].map(x, 1 / x) == [1]", "1 / x"),
        ],
    );
}
