//! Whole and floating point numbers.

use creto_expression::FaultKind;

use crate::facts::{all_fail, all_false, all_refused, all_true};

#[test]
fn whole_numbers_are_exact_and_never_wrap() {
    all_true(&[
        "t.int + 8 == 1",
        "t.int - 1 == -8",
        "t.int * -3 == 21",
        "t.int / 2 == -3",
        "t.int % 4 == -3",
        "-t.int == 7",
        "t.uint + 1u == 8u",
        "t.uint / 2u == 3u",
        "t.uint % 4u == 3u",
        "9223372036854775806 + 1 == 9223372036854775807",
        "18446744073709551614u + 1u == 18446744073709551615u",
        "-9223372036854775807 - 1 == -9223372036854775808",
    ]);
    all_fail(
        FaultKind::Overflow,
        &[
            ("9223372036854775807 + 1 == 0", "9223372036854775807 + 1"),
            ("9223372036854775807 - t.int == 0", "9223372036854775807 - t.int"),
            ("4611686018427387904 * 2 == 0", "4611686018427387904 * 2"),
            ("-9223372036854775808 / -1 == 0", "-9223372036854775808 / -1"),
            ("-9223372036854775808 % -1 == 0", "-9223372036854775808 % -1"),
            ("-(-9223372036854775808) == 0", "-(-9223372036854775808)"),
            ("18446744073709551615u + 1u == 0u", "18446744073709551615u + 1u"),
            ("6u - t.uint == 0u", "6u - t.uint"),
            ("9223372036854775808u * 2u == 0u", "9223372036854775808u * 2u"),
        ],
    );
    all_fail(
        FaultKind::DivisionByZero,
        &[
            ("t.int / 0 == 1", "t.int / 0"),
            ("t.int % 0 == 1", "t.int % 0"),
            ("t.uint / 0u == 1u", "t.uint / 0u"),
            ("t.uint % 0u == 1u", "t.uint % 0u"),
            ("t.int / (t.int + 7) == 1", "t.int / (t.int + 7)"),
        ],
    );
}

#[test]
fn floating_point_numbers_follow_ieee_754() {
    all_true(&[
        "t.double + 0.5 == 3.0",
        "t.double * 2.0 == 5.0",
        "1.0 / 0.0 == double('inf')",
        "-1.0 / 0.0 < -1e308",
        "double('nan') != double('nan')",
        "0.0 == -0.0",
        "0.1 + 0.2 != 0.3",
    ]);
    all_false(&[
        "double('nan') < 1.0",
        "double('nan') >= 1.0",
        "double('nan') == double('nan')",
        "double('nan') in [double('nan')]",
    ]);
    all_refused(&[("t.double % 2.0 == 0.0", "t.double % 2.0", "`%` does not take double and double")]);
}

#[test]
fn numbers_of_different_types_are_compared_as_numbers() {
    all_true(&[
        "1 == 1u",
        "1 == 1.0",
        "1u == 1.0",
        "t.int < t.uint",
        "t.int < t.double",
        "t.uint > t.double",
        "-1 < 18446744073709551615u",
        "t.any == 7u",
        "t.any in [7.0]",
        "7u in [1, 7]",
        "mcp.tool.arguments.limit == 50",
        "mcp.tool.arguments.limit <= 50.5",
        "mcp.tool.arguments.big == 18446744073709551615u",
        "mcp.tool.arguments.ratio == 0.5",
        "dyn(1.5) != 1",
        "dyn('1') != 1",
    ]);
    all_false(&["dyn('1') == 1", "dyn(null) == 0", "dyn(true) == 1", "dyn([1]) == 1"]);
    all_refused(&[
        ("t.int + t.uint == 0", "t.int + t.uint", "`+` does not take int and uint"),
        ("t.int + 1.0 == 0.0", "t.int + 1.0", "`+` does not take int and double"),
        ("t.int == '7'", "t.int == '7'", "a value of type int never equals one of type string"),
        ("t.int < '7'", "t.int < '7'", "`<` does not take int and string"),
        ("-t.uint == 0", "t.uint", "a value of type uint has no sign"),
    ]);
    all_fail(
        FaultKind::NoOverload,
        &[
            ("t.any + 1u == 8u", "t.any + 1u"),
            ("t.any < '8'", "t.any < '8'"),
            ("-mcp.tool.arguments.repo == 1", "-mcp.tool.arguments.repo"),
            ("dyn(null) < 1", "dyn(null) < 1"),
        ],
    );
}

#[test]
fn conversions_keep_the_value_or_fail() {
    all_true(&[
        "int(t.uint) == 7",
        "int(2.9) == 2",
        "int(-2.9) == -2",
        "int('-42') == -42",
        "uint(7) == 7u",
        "uint(2.9) == 2u",
        "uint('18446744073709551615') == 18446744073709551615u",
        "double(7) == 7.0",
        "double('1e3') == 1000.0",
        "string(t.int) == '-7'",
        "string(t.uint) == '7'",
        "string(2.5) == '2.5'",
        "string(-4.5e-3) == '-0.0045'",
        "string(1e300) == '1e300'",
        "string(true) == 'true'",
        "bool('TRUE') && bool('1') && bool('t') && !bool('False') && !bool('0') && !bool('f')",
        "int(mcp.tool.arguments.limit) == 50",
        "string(mcp.tool.arguments.limit) == '50'",
        "dyn(1) == 1",
    ]);
    all_fail(
        FaultKind::Overflow,
        &[
            ("uint(t.int) == 0u", "uint(t.int)"),
            ("uint(-0.5) == 0u", "uint(-0.5)"),
            ("int(1e99) == 0", "int(1e99)"),
            ("int(9223372036854775808.0) == 0", "int(9223372036854775808.0)"),
            ("int(double('nan')) == 0", "int(double('nan'))"),
            ("uint(18446744073709551616.0) == 0u", "uint(18446744073709551616.0)"),
            ("int(18446744073709551615u) == 0", "int(18446744073709551615u)"),
        ],
    );
    all_fail(
        FaultKind::Conversion,
        &[
            ("int('9223372036854775808') == 0", "int('9223372036854775808')"),
            ("int(request.method) == 0", "int(request.method)"),
            ("int('') == 0", "int('')"),
            ("uint('-1') == 0u", "uint('-1')"),
            ("double('one') == 0.0", "double('one')"),
            ("bool('TrUe')", "bool('TrUe')"),
            ("string(t.bytes) == ''", "string(t.bytes)"),
        ],
    );
    all_fail(
        FaultKind::NoOverload,
        &[("int(dyn(null)) == 0", "int(dyn(null))"), ("bool(t.any)", "bool(t.any)")],
    );
    all_refused(&[
        ("int(true) == 1", "true", "int() does not take a value of type bool here"),
        ("string([1]) == ''", "[1]", "string() does not take a value of type list(int) here"),
        ("bool(1)", "1", "bool() does not take a value of type int here"),
    ]);
}
