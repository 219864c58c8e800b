//! What is refused at load, and how that is said.

use creto_expression::Program;

use crate::facts::{all_refused, schema};

fn help(source: &str) -> String {
    let problems = Program::compile(source, schema()).expect_err(source);
    assert_eq!(problems.len(), 1, "{source}: {problems:#?}");
    problems[0].help.clone().unwrap_or_default()
}

#[test]
fn a_misspelt_name_comes_with_the_name_that_was_meant() {
    for (source, meant) in [
        ("llm.requestmodel == ''", "llm.request_model"),
        ("llm.requestModel.startsWith('gpt')", "llm.request_model"),
        ("request.heades['x'] == ''", "request.headers"),
        ("request.heades.host == ''", "request.headers"),
        ("mcp.tool.argument.repo == ''", "mcp.tool.arguments"),
        ("has(mcp.tool.argument.repo)", "mcp.tool.arguments"),
        ("has(llm.streamin)", "llm.streaming"),
        ("request.host.startswith('a')", "startsWith"),
        ("request.host.contain('a')", "contains"),
        ("llm.tools.exist(x, true)", "exists"),
        ("sizes(llm.tools) == 1", "size"),
        ("llm.tools.exists(tool, tol == '')", "tool"),
    ] {
        assert_eq!(help(source), format!("did you mean `{meant}`?"), "{source}");
    }
    assert_eq!(help("weather == 1"), "attributes begin with: agent, llm, mcp, request, t");
    assert_eq!(help("llm == 1"), "say which: `llm.request_model`, `llm.streaming`, `llm.tools`");
    assert_eq!(help("size2(1) == 1"), "did you mean `size`?");
    assert_eq!(help("startsWith('a', 'b')"), "write it after a dot: x.startsWith(...)");
    assert_eq!(help("'a'.string() == 'a'"), "write it before the value: string(...)");
    assert_eq!(help("a = b"), "equality is written `==`");
    assert_eq!(help("'a' in request.host"), "to search a text, write text.contains(part)");
}

#[test]
fn what_cannot_be_true_or_false_is_refused() {
    all_refused(&[
        ("request.method", "request.method", "the expression is of type string"),
        ("1 + 1", "1 + 1", "the expression is of type int"),
        ("[true]", "[true]", "the expression is of type list(bool)"),
        ("request.method && true", "request.method", "`&&` takes true or false, and this is of type string"),
        ("!request.size", "request.size", "`!` takes true or false, and this is of type int"),
        ("request.size ? true : false", "request.size", "`?` takes true or false, and this is of type int"),
    ]);
}

#[test]
fn what_is_outside_the_profile_is_refused_with_a_reason() {
    all_refused(&[
        ("type(1) == 'int'", "type(1)", "type() is not supported"),
        ("request.method == string", "string", "types are not values here: `string` can only be called"),
        (
            "google.protobuf.Duration{seconds: 1} == t.length",
            "google.protobuf.Duration{",
            "messages are not supported",
        ),
        ("request.?method == ''", "?", "optional values are not supported"),
        ("[?1] == []", "?", "optional values are not supported"),
        ("{?'a': 1} == {}", "?", "optional values are not supported"),
        ("math.greatest(1, 2) == 2", "greatest", "there is no function `greatest`"),
        ("'%d'.format([1]) == '1'", "format", "there is no function `format`"),
    ]);
}

#[test]
fn every_problem_is_found_in_one_pass_in_the_order_of_the_text() {
    let source = "request.metod == 'GET' && llm.tools[true] == '' && size(1) > 0 && request.size == '1'";
    let problems = Program::compile(source, schema()).unwrap_err();
    let found: Vec<&str> = problems.iter().map(|problem| &source[problem.span.clone()]).collect();
    assert_eq!(found, ["request.metod", "true", "1", "request.size == '1'"]);
    // One mistake is one problem, whatever is done with it.
    let problems =
        Program::compile("request.metod[0].size() in [1] && !request.metod", schema()).unwrap_err();
    assert_eq!(problems.len(), 2, "{problems:#?}");
    let many = vec!["x == y"; 300].join("&&");
    assert_eq!(Program::compile(&many, schema()).unwrap_err().len(), 20);
}

#[test]
fn arguments_are_counted() {
    all_refused(&[
        ("size() == 0", "size()", "size() does not take 0 arguments"),
        ("size(llm.tools, 1) == 0", "size(llm.tools, 1)", "size() does not take 2 arguments"),
        ("request.host.startsWith()", "request.host.startsWith()", "startsWith() does not take 1 arguments"),
        ("request.host.matches()", "request.host.matches()", "matches() takes one pattern"),
        ("has(request.host, 1)", "has(request.host, 1)", "has() takes one argument"),
        ("request.host.startsWith(1)", "1", "startsWith() does not take a value of type int here"),
        (
            "request.size.startsWith('1')",
            "request.size",
            "startsWith() does not take a value of type int here",
        ),
    ]);
}
