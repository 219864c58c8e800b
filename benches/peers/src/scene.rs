//! What is compared, a scene at a time.

use crate::engine::subjects;
use crate::rego::Form;
use crate::rules::Rules;
use crate::subject::Subject;
use crate::versions::version;
use crate::{Outcome, cedar, cel, chain, creto, expressions, rego};

/// Sets up everything that is measured in turn: engines loaded, verdicts held.
pub type Scene = fn() -> Outcome<Vec<Subject>>;

/// All of them.
pub const SCENES: [Scene; 10] = [
    || rules(10),
    || rules(100),
    || rules(1_000),
    || rules(10_000),
    || when(1),
    || when(8),
    || chain::subjects(1),
    || chain::subjects(2),
    || chain::subjects(3),
    || chain::subjects(8),
];

fn rules(count: usize) -> Outcome<Vec<Subject>> {
    let rules = Rules::of(count);
    let calls = rules.calls();
    let named = |engine: &str| format!("{engine}.rules_{count}");
    let note = |engine: &str, form: &str| format!("{engine} {}: {form}", version(engine));
    let mut all = Vec::new();
    all.extend(subjects(&named("creto"), "PolicySet::decide", creto::Creto::load(rules)?, &calls)?);
    all.extend(subjects(
        &named("cedar"),
        &note("cedar-policy", "all policies in one set; host as resource, method as action, path `like`"),
        cedar::Cedar::load(rules)?,
        &calls,
    )?);
    all.extend(subjects(
        &named("cedar_sliced"),
        &note(
            "cedar-policy",
            "the slice of host and action, picked outside: its permit, and the forbids for a DELETE",
        ),
        cedar::Sliced::load(rules)?,
        &calls,
    )?);
    all.extend(subjects(
        &named("rego"),
        &note("regorus", "compiled for its virtual machine, one rule over data keyed by host"),
        rego::Rego::load(rules, Form::Keyed)?,
        &calls,
    )?);
    all.extend(subjects(
        &named("rego_interpreted"),
        &note("regorus", "interpreted, one rule over data keyed by host"),
        rego::Interpreted::load(rules, Form::Keyed)?,
        &calls,
    )?);
    all.extend(subjects(
        &named("rego_scan"),
        &note(
            "regorus",
            "compiled for its virtual machine, one rule that goes through a list of rules in data",
        ),
        rego::Rego::load(rules, Form::Scan)?,
        &calls,
    )?);
    all.extend(subjects(
        &named("cel"),
        &note("cel", "one expression over a map from host to rule"),
        cel::OneExpression::load(rules)?,
        &calls,
    )?);
    all.extend(subjects(
        &named("cel_sliced"),
        &note("cel", "the program of the host, picked outside, and those of the denies for a DELETE"),
        cel::Sliced::load(rules)?,
        &calls,
    )?);
    all.extend(subjects(
        &named("cel_scan"),
        &note("cel", "a program a rule, in turn: denies, then allows up to the first that holds"),
        cel::InTurn::load(rules)?,
        &calls,
    )?);
    Ok(all)
}

fn when(count: usize) -> Outcome<Vec<Subject>> {
    let calls = expressions::calls(count);
    let named = |engine: &str| format!("{engine}.when_{count}");
    let note = |engine: &str, form: &str| format!("{engine} {}: {form}", version(engine));
    let mut all = Vec::new();
    let ours = "rules of one host with a `when`, beside host, port and method";
    all.extend(subjects(&named("creto"), ours, creto::When::load(count)?, &calls)?);
    let form = note("cedar-policy", "permits with a `when` of the same terms, nothing else to match");
    all.extend(subjects(&named("cedar"), &form, cedar::When::load(count)?, &calls)?);
    let form = note("regorus", "virtual machine, rules of the same terms, nothing else to match");
    all.extend(subjects(&named("rego"), &form, rego::When::load(count)?, &calls)?);
    let form = note("cel", "a program a rule in turn, the very same text, nothing else to match");
    all.extend(subjects(&named("cel"), &form, cel::When::load(count)?, &calls)?);
    Ok(all)
}
