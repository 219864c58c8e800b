//! Results as JUnit XML, which CI systems read.

use super::suite::SuiteResult;

/// One suite a file, one case a call.
pub(super) fn document(results: &[SuiteResult]) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    for result in results {
        let failed = result.cases.iter().filter(|case| !case.holds()).count();
        let file = escaped(&result.file);
        let count = result.cases.len();
        out.push_str(&format!(
            "  <testsuite name=\"{file}\" tests=\"{count}\" failures=\"{failed}\" errors=\"0\" skipped=\"0\">\n"
        ));
        for case in &result.cases {
            let (name, line) = (escaped(&case.call.name), case.call.line);
            let head =
                format!("    <testcase name=\"{name}\" classname=\"{file}\" file=\"{file}\" line=\"{line}\"");
            if case.holds() {
                out.push_str(&format!("{head}/>\n"));
                continue;
            }
            let message = escaped(&format!("expected {}, came {}", case.call.expected, case.came));
            let explanation = escaped(case.came.explanation.trim_end());
            out.push_str(&format!(
                "{head}>\n      <failure message=\"{message}\">{explanation}</failure>\n    </testcase>\n"
            ));
        }
        out.push_str("  </testsuite>\n");
    }
    out.push_str("</testsuites>\n");
    out
}

/// Text as XML 1.0 takes it: what it has no character for is left out.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(letter),
            letter if letter.is_control() || matches!(letter, '\u{fffe}' | '\u{ffff}') => {}
            letter => out.push(letter),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped_for_xml() {
        assert_eq!(escaped("a<b> & \"c\"\u{0}\u{1b}\n"), "a&lt;b&gt; &amp; &quot;c&quot;\n");
    }
}
