//! Text, bytes and patterns.

use creto_expression::FaultKind;

use crate::facts::{all_fail, all_false, all_refused, all_true};

#[test]
fn text_is_searched_and_compared_by_code_points() {
    all_true(&[
        "request.host.startsWith('api.') && request.host.endsWith('.com') && request.host.contains('example')",
        "request.host.startsWith('') && request.host.endsWith('') && request.host.contains('')",
        "request.method == 'POST'",
        "request.method != 'post'",
        "'a' < 'b' && 'a' < 'aa' && 'B' < 'a'",
        "'\\U0000FFFF' < '\\U00010000'",
        "'é' != 'e\\u0301'",
        "'' < 'a'",
        "mcp.tool.arguments.repo.startsWith('acme/')",
        "'a' + 'b' + request.method == 'abPOST'",
        "b'\\x00' < b'\\xff' && b'' < b'a'",
        "t.bytes == b'\\x00\\xff'",
        "b'a' + b'b' == b'ab'",
        "bytes('é') == b'\\xc3\\xa9'",
        "string(b'\\xc3\\xa9') == 'é'",
    ]);
    all_false(&["request.host.startsWith('example')", "'abc'.contains('ac')", "'abc'.endsWith('abcd')"]);
}

#[test]
fn the_size_of_text_counts_code_points() {
    all_true(&[
        "size('é😀') == 2",
        "'é😀'.size() == 2",
        "''.size() == 0",
        "'e\\u0301'.size() == 2",
        "b'é'.size() == 2",
        "size(request.method) == 4",
        "size(llm.tools) == 2",
        "size(request.headers) == 2",
        "size(mcp.tool.arguments.labels) == 2",
        "size(mcp.tool.arguments.filter) == 2",
        "size([]) == 0 && size({}) == 0",
    ]);
    all_fail(FaultKind::NoOverload, &[("size(t.any) == 1", "size(t.any)")]);
    all_refused(&[("size(1) == 1", "1", "size() does not take a value of type int here")]);
}

#[test]
fn patterns_find_a_match_anywhere() {
    all_true(&[
        "request.host.matches('exam')",
        "request.host.matches('^api[.].*com$')",
        "matches(request.host, '(?i)EXAMPLE')",
        "llm.request_model.matches(r'^gpt-\\d')",
        "mcp.tool.name.matches('^(search|list)_')",
        "''.matches('')",
        "'k\\nv'.matches('(?s)k.v')",
        "'é'.matches('^.$')",
        "mcp.tool.arguments.repo.matches('^acme/')",
    ]);
    all_false(&["request.host.matches('^example')", "'k\\nv'.matches('k.v')"]);
    // Classes are those of ASCII, as in RE2.
    all_true(&[
        r"'a1_'.matches(r'^\w\d\w$') && 'a-1'.matches(r'^[\w-]+$') && 'é'.matches(r'^[^\w\d]$') && ' '.matches(r'\s')",
        r"'é'.matches(r'^\W$') && '٣'.matches(r'^\D$') && '\u2003'.matches(r'^\S$') && 'x'.matches(r'^[\S]$')",
        r"'a b'.matches(r'a\b') && 'aé'.matches(r'a\b') && '\\d'.matches(r'^\\d$') && 'é'.matches(r'^\pL$')",
    ]);
    all_false(&[
        r"'é'.matches(r'\w')",
        r"'٣'.matches(r'\d')",
        r"'\u2003'.matches(r'\s')",
        r"'ab'.matches(r'a\b')",
    ]);
    all_fail(FaultKind::NoOverload, &[("t.any.matches('x')", "t.any.matches('x')")]);
    all_refused(&[
        (
            "request.host.matches(request.method)",
            "request.method",
            "the pattern of matches() must be a literal",
        ),
        ("request.host.matches('(')", "'('", "this is not a pattern: unclosed group"),
        (
            "request.host.matches('(?=a)')",
            "'(?=a)'",
            "this is not a pattern: look-around, including look-ahead and look-behind, is not supported",
        ),
        (
            "request.host.matches(r'(a)\\1')",
            "r'(a)\\1'",
            "this is not a pattern: backreferences are not supported",
        ),
        (
            "request.host.matches('(a{1000}){1000}')",
            "'(a{1000}){1000}'",
            "the pattern needs more than 262144 bytes when compiled",
        ),
        (r"t.any.matches(r'\Qa\E')", r"r'\Qa\E'", "this is not a pattern: unrecognized escape sequence"),
        (r"t.any.matches(r'\C')", r"r'\C'", "this is not a pattern: unrecognized escape sequence"),
        ("t.int.matches('a')", "t.int", "matches() takes a text, and this is of type int"),
    ]);
}

#[test]
fn text_is_taken_apart_and_put_together() {
    all_true(&[
        "'AbÉ'.lowerAscii() == 'abÉ' && 'abé'.upperAscii() == 'ABé'",
        "request.method.lowerAscii() == 'post'",
        "' \\t a b\\u2003'.trim() == 'a b'",
        "'tacocat'.indexOf('ac') == 1 && 'tacocat'.indexOf('') == 0 && 'tacocat'.indexOf('x') == -1",
        "'éacéa'.indexOf('a', 2) == 4",
        "'éacéa'.lastIndexOf('a') == 4 && 'éacéa'.lastIndexOf('a', 3) == 1",
        "'éa'.charAt(1) == 'a' && 'éa'.charAt(2) == ''",
        "'éacé'.substring(1) == 'acé' && 'éacé'.substring(1, 3) == 'ac' && 'é'.substring(1) == ''",
        "'a-b-c'.replace('-', '+') == 'a+b+c' && 'a-b-c'.replace('-', '', 1) == 'ab-c'",
        "'ab'.replace('', '.') == '.a.b.'",
        "'a,b,c'.split(',') == ['a', 'b', 'c'] && 'a,b,c'.split(',', 2) == ['a', 'b,c']",
        "'aé'.split('') == ['a', 'é'] && 'a,b'.split(',', 0) == [] && ''.split(',') == ['']",
        "['a', 'b'].join() == 'ab' && ['a', 'b'].join('-') == 'a-b' && [].join('-') == ''",
        "llm.tools.join(',') == 'search,fetch'",
        "'aé'.reverse() == 'éa'",
    ]);
    all_fail(
        FaultKind::NoSuchIndex,
        &[
            ("'ab'.charAt(3) == ''", "'ab'.charAt(3)"),
            ("'ab'.charAt(-1) == ''", "'ab'.charAt(-1)"),
            ("'ab'.substring(3) == ''", "'ab'.substring(3)"),
            ("'ab'.substring(1, 3) == ''", "'ab'.substring(1, 3)"),
            ("'ab'.substring(2, 1) == ''", "'ab'.substring(2, 1)"),
            ("'ab'.indexOf('a', 3) == 0", "'ab'.indexOf('a', 3)"),
            ("'ab'.lastIndexOf('a', -1) == 0", "'ab'.lastIndexOf('a', -1)"),
        ],
    );
    all_fail(FaultKind::NoOverload, &[("[dyn(1)].join() == ''", "[dyn(1)].join()")]);
}
