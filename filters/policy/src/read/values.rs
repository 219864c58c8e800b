//! Values of a TOML table, with a problem for each that is not what it must be.

use std::ops::Range;

use creto_expression::spelling::nearest;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::shorten;
use crate::{MAX_LIST, problem::Collector};

/// A table whose keys are all known.
pub(super) struct Table<'d, 't> {
    table: &'d DeTable<'t>,
    span: Range<usize>,
    what: &'static str,
}

impl<'d, 't> Table<'d, 't> {
    /// Takes a table and reports its unknown keys, each with the known one that was probably meant.
    pub(super) fn open(
        table: &'d DeTable<'t>,
        span: Range<usize>,
        what: &'static str,
        known: &[&str],
        findings: &mut Collector<'_>,
    ) -> Self {
        for (key, _) in table {
            let written: &str = key.get_ref();
            if known.contains(&written) {
                continue;
            }
            let help = match nearest(written, known) {
                Some(word) => format!("did you mean `{word}`?"),
                None => format!("known here: {}", known.join(", ")),
            };
            findings.add_help(key.span(), format!("`{}` is no key of {what}", shorten(written)), help);
        }
        Self { table, span, what }
    }

    /// Its keys as written, with their values.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&'d str, &'d Spanned<DeValue<'t>>)> {
        self.table.iter().map(|(key, value)| (key.get_ref().as_ref(), value))
    }

    pub(super) fn get(&self, key: &str) -> Option<&'d Spanned<DeValue<'t>>> {
        self.table.get(key)
    }

    /// Where the value of a key stands; where the table does, if it has none.
    pub(super) fn span_of(&self, key: &str) -> Range<usize> {
        self.get(key).map_or_else(|| self.span.clone(), Spanned::span)
    }

    /// The value of a key that must be there.
    pub(super) fn required(
        &self,
        key: &str,
        findings: &mut Collector<'_>,
    ) -> Option<&'d Spanned<DeValue<'t>>> {
        let value = self.get(key);
        if value.is_none() {
            findings.add_help(
                self.span.clone(),
                format!("{} has no `{key}`", self.what),
                format!("add a line `{key} = {}`", example(key)),
            );
        }
        value
    }
}

fn example(key: &str) -> &'static str {
    match key {
        "version" => "1",
        "host" => "\"api.github.com\"",
        "prefix" => "\"/openai\"",
        "to" => "\"https://api.openai.com\"",
        "api" => "\"openai\"",
        "type" => "\"bearer\"",
        "from" => "{ file = \"/run/secrets/a-name\" }",
        "header" => "\"x-api-key\"",
        "region" => "\"us-east-1\"",
        "service" => "\"bedrock\"",
        "token_url" => "\"https://login.example.com/token\"",
        "client_id" => "\"a-client\"",
        "meter" => "\"llm.tokens\"",
        "limit" => "1000",
        "currency" => "\"USD\"",
        "period" => "\"monthly\"",
        "seconds" => "3600",
        "approvers" => "[\"alice@example.com\"]",
        "wait" => "\"1h\"",
        _ => "\"a-name\"",
    }
}

/// A text.
pub(super) fn string<'d>(
    value: &'d Spanned<DeValue<'_>>,
    key: &str,
    findings: &mut Collector<'_>,
) -> Option<&'d str> {
    let text = value.get_ref().as_str();
    if text.is_none() {
        let kind = value.get_ref().type_str();
        findings.add_help(
            value.span(),
            format!("`{}` is a text, not this {kind}", shorten(key)),
            "put it in double quotes",
        );
    }
    text
}

/// True or false.
pub(super) fn boolean(value: &Spanned<DeValue<'_>>, key: &str, findings: &mut Collector<'_>) -> Option<bool> {
    let answer = value.get_ref().as_bool();
    if answer.is_none() {
        findings.add(value.span(), format!("`{key}` is `true` or `false`, without quotes"));
    }
    answer
}

/// A value, or the values of a list of 1 to 1,000.
pub(super) fn list<'d, 't>(
    value: &'d Spanned<DeValue<'t>>,
    key: &str,
    findings: &mut Collector<'_>,
) -> Vec<&'d Spanned<DeValue<'t>>> {
    let Some(array) = value.get_ref().as_array() else { return vec![value] };
    if array.is_empty() {
        findings.add_help(
            value.span(),
            format!("`{key}` is an empty list, which matches nothing"),
            "leave the key out to match anything, or name something",
        );
    }
    if array.len() > MAX_LIST {
        findings
            .add(value.span(), format!("`{key}` has {} entries; at most {MAX_LIST} are read", array.len()));
        return Vec::new();
    }
    array.iter().collect()
}

/// A text, or a list of texts, each with its place.
pub(super) fn string_list(
    value: &Spanned<DeValue<'_>>,
    key: &str,
    findings: &mut Collector<'_>,
) -> Vec<(String, Range<usize>)> {
    list(value, key, findings)
        .into_iter()
        .filter_map(|entry| string(entry, key, findings).map(|text| (text.to_owned(), entry.span())))
        .collect()
}

/// A port as digits.
pub(super) fn port_number(text: &str) -> Option<u16> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok().filter(|port| *port > 0)
}
