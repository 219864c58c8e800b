//! A user's own rows: over the built-in ones, in their own time, and refused with row and field when wrong.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

use creto_prices::{FieldProblem, Format, Matched, PriceList, PriceListError, Reason};

/// 2026-11-21.
const AT_MS: i64 = 1_795_219_200_000;
const DAY_MS: i64 = 86_400_000;

const HEAD: &str = "version = 1\ncurrency = \"USD\"\nprovider = \"acme\"\n";

fn row(id: &str, fields: &str) -> String {
    format!("[[rows]]\nid = \"{id}\"\n{fields}\n")
}

fn list(rows: &str) -> Result<PriceList, PriceListError> {
    PriceList::only(&format!("{HEAD}{rows}"), Format::Toml)
}

/// The message about one row `x` that has these fields beside an id and a model.
fn refused(fields: &str) -> String {
    list(&row("x", &format!("model = \"m\"\n{fields}"))).unwrap_err().to_string()
}

fn found(list: &PriceList, provider: &str, model: &str, at_ms: i64) -> Result<(String, Matched), Reason> {
    list.resolve(provider, model, at_ms)
        .map(|found| (found.price.id().to_string(), found.matched))
        .map_err(|unpriced| unpriced.reason)
}

#[test]
fn an_own_row_stands_over_the_built_in_one_by_its_exact_name_or_its_star() {
    let rows = "version = 1\ncurrency = \"USD\"\nprovider = \"openai\"\n\
        [[rows]]\nid = \"deal:gpt-4o\"\nmodel = \"gpt-4o\"\ninput = \"0.000002\"\n\
        [[rows]]\nid = \"deal:gpt-5.4\"\nmodel = \"gpt-5.4-deal\"\naliases = [\"gpt-5.4-*\"]\ninput = \"0.000002\"\n\
        [[rows]]\nid = \"deal:gpt-5.4-mini\"\nmodel = \"d\"\naliases = [\"gpt-5.4-mini-*\"]\ninput = \"0.000001\"\n";
    let list = PriceList::built_in().unwrap().with_own(rows, Format::Toml).unwrap();
    let at = |model| found(&list, "openai", model, AT_MS).unwrap();
    assert_eq!(at("gpt-4o"), ("deal:gpt-4o".to_owned(), Matched::Exact));
    // The snapshot stays the built-in row's: its price is known, and was not bargained over.
    assert_eq!(at("gpt-4o-2024-05-13"), ("openai:gpt-4o-2024-05-13@2026-11-21".to_owned(), Matched::Exact));
    // A snapshot nobody names goes to the own row first.
    assert_eq!(at("gpt-4o-2027-01-01"), ("deal:gpt-4o".to_owned(), Matched::Undated));
    // A star stands over the built-in snapshot, the longest over the shorter, and for at least one character.
    assert_eq!(at("gpt-5.4-2026-03-05"), ("deal:gpt-5.4".to_owned(), Matched::Glob));
    assert_eq!(at("gpt-5.4-mini-2026-03-17").0, "deal:gpt-5.4-mini");
    assert_eq!(at("gpt-5.4").0, "openai:gpt-5.4@2026-11-21");
    // Reading own rows again replaces them.
    let list = list.with_own("version = 1\nrows = []", Format::Toml).unwrap();
    assert_eq!(found(&list, "openai", "gpt-4o", AT_MS).unwrap().0, "openai:gpt-4o@2026-11-21");
}

#[test]
fn rows_hold_from_their_first_moment_to_before_their_last() {
    let own = list(
        &(row("old", "model = \"m\"\ninput = \"1\"\neffective_to = 2026-11-21")
            + &row(
                "new",
                "model = \"m\"\ninput = \"2\"\neffective_from = 2026-11-21\neffective_to = \"2026-11-22\"",
            )
            + &row("late", "model = \"m\"\ninput = \"3\"\neffective_from = \"2026-11-23T02:00:00+02:00\"")),
    )
    .unwrap();
    for (at_ms, id) in [
        (i64::MIN, Ok("old")),
        (AT_MS - 1, Ok("old")),
        (AT_MS, Ok("new")),
        (AT_MS + DAY_MS - 1, Ok("new")),
        (AT_MS + DAY_MS, Err(Reason::NotInEffect)),
        (AT_MS + 2 * DAY_MS - 1, Err(Reason::NotInEffect)),
        (AT_MS + 2 * DAY_MS, Ok("late")),
    ] {
        let found = found(&own, "acme", "m", at_ms).map(|found| found.0);
        assert_eq!(found, id.map(str::to_owned), "{at_ms}");
    }
}

#[test]
fn before_an_own_row_begins_the_built_in_one_holds() {
    let rows = "version = 1\n[[rows]]\nid = \"deal\"\nprovider = \"openai\"\nmodel = \"gpt-4o\"\n\
        currency = \"USD\"\ninput = \"0.000001\"\neffective_from = 2027-01-01\n";
    let list = PriceList::built_in().unwrap().with_own(rows, Format::Toml).unwrap();
    assert_eq!(found(&list, "openai", "gpt-4o", AT_MS).unwrap().0, "openai:gpt-4o@2026-11-21");
    assert_eq!(found(&list, "openai", "gpt-4o", AT_MS + 60 * DAY_MS).unwrap().0, "deal");
}

#[test]
fn json_says_the_same_as_toml() {
    let json =
        r#"{"version":1,"currency":"EUR","provider":"acme","rows":[{"id":"x","model":"M","input":"0.5"}]}"#;
    let list = PriceList::only(json, Format::Json).unwrap();
    let model = list.resolve("ACME", "m", 0).unwrap().price;
    assert_eq!((model.currency().code(), model.model()), ("EUR", "m"));
}

#[test]
fn prices_that_are_none_are_refused_by_row_and_field() {
    for (fields, message) in [
        ("input = \"-0.000001\"", "price row 1 (`x`), field `input`: a price cannot be below zero"),
        (
            "input = \"NaN\"",
            "price row 1 (`x`), field `input`: not a decimal number: write digits with at most one point between them, such as 0.0000025",
        ),
        ("input = nan", "price row 1 (`x`), field `input`: must be a string, not a floating-point number"),
        (
            "input = 0.000003",
            "price row 1 (`x`), field `input`: must be a string, not a floating-point number",
        ),
        ("input = 3", "price row 1 (`x`), field `input`: must be a string, not an integer"),
        (
            "input = \"1e-6\"",
            "price row 1 (`x`), field `input`: not a decimal number: write digits with at most one point between them, such as 0.0000025",
        ),
        (
            "input = \"0.0000000000000001\"",
            "price row 1 (`x`), field `input`: more than 15 decimals, which cannot be held exactly",
        ),
        (
            "input = \"1000000.1\"",
            "price row 1 (`x`), field `input`: a price above 1000000 is not believed; prices are per token, not per thousand or million",
        ),
        ("", "price row 1 (`x`), field `input`: the row has no price: give at least one, such as `input`"),
        ("input = \"1\"\nimput = \"1\"", "price row 1 (`x`), field `imput`: is not known here"),
        (
            "input = \"1\"\n[rows.priority]\noutput = \"-1\"",
            "price row 1 (`x`), field `priority.output`: a price cannot be below zero",
        ),
        (
            "input = \"1\"\n[rows.priority]",
            "price row 1 (`x`), field `priority.input`: the row has no price: give at least one, such as `input`",
        ),
        (
            "input = \"1\"\nmax_output = 0",
            "price row 1 (`x`), field `max_output`: must be between 1 and 1099511627776",
        ),
        (
            "input = \"1\"\ncontext_window = -1",
            "price row 1 (`x`), field `context_window`: must be between 1 and 1099511627776",
        ),
        (
            "input = \"1\"\naliases = \"m2\"",
            "price row 1 (`x`), field `aliases`: must be a list, not a string",
        ),
        (
            "input = \"1\"\naliases = [\"a b\"]",
            "price row 1 (`x`), field `aliases[0]`: must be 1 to 128 printable ASCII characters without spaces",
        ),
        (
            "input = \"1\"\ncurrency = \"EUROS\"",
            "price row 1 (`x`), field `currency`: `EUROS` is no currency known here: write its ISO 4217 code in capitals, such as USD",
        ),
    ] {
        assert_eq!(refused(fields), message);
    }
}

#[test]
fn a_star_may_only_end_a_part_of_a_name() {
    for alias in ["*", "m*", "m-*-x", "m-**", "*-m", "-*"] {
        let message = refused(&format!("input = \"1\"\naliases = [\"ok\", \"{alias}\"]"));
        assert!(
            message.starts_with("price row 1 (`x`), field `aliases[1]`: `*` may stand only"),
            "{alias}: {message}"
        );
    }
    assert!(
        list(&row("x", "model = \"m-*\"\ninput = \"1\"")).unwrap_err().to_string().contains("field `model`")
    );
}

#[test]
fn context_tiers_with_gaps_overlaps_or_an_end_are_refused() {
    let long = |entries: &str| refused(&format!("input = \"1\"\nlong = [{entries}]"));
    let problem = |entries: &str| long(entries).split_once(": ").unwrap().0.to_owned();
    assert_eq!(
        long(r#"{above = 100, up_to = 200, input = "2"}, {above = 300, input = "3"}"#),
        "price row 1 (`x`), field `long[1].above`: between 200 and 300 input tokens there is no price: begin where \
         the entry before ends"
    );
    assert_eq!(
        long(r#"{above = 100, up_to = 200, input = "2"}, {above = 199, input = "3"}"#),
        "price row 1 (`x`), field `long[1].above`: begins above 199, which the entry before covers up to 200: \
         entries must rise, and not overlap"
    );
    for (entries, field) in [
        (r#"{above = 200, input = "2"}, {above = 100, input = "3"}"#, "long[1].above"),
        (r#"{above = 200, input = "2"}, {above = 200, input = "3"}"#, "long[1].above"),
        (r#"{above = 200, up_to = 200, input = "2"}"#, "long[0].up_to"),
        (r#"{above = 200, up_to = 100, input = "2"}"#, "long[0].up_to"),
        (r#"{above = 200, up_to = 300, input = "2"}"#, "long"),
        (r#"{above = 0, input = "2"}"#, "long[0].above"),
        (r#"{input = "2"}"#, "long[0].above"),
        (r#"{above = 200}"#, "long[0].input"),
        (r#"{above = 200, input = "2", output_ = "2"}"#, "long[0].output_"),
        (r#"3"#, "long"),
    ] {
        assert_eq!(problem(entries), format!("price row 1 (`x`), field `{field}`"), "{entries}");
    }
    let nine =
        (1..=9).map(|above| format!("{{above = {above}, input = \"1\"}}")).collect::<Vec<_>>().join(",");
    assert_eq!(long(&nine), "price row 1 (`x`), field `long`: has more than 8 entries");
    let good = row(
        "x",
        "model = \"m\"\ninput = \"1\"\nlong = [{above = 1, up_to = 2, input = \"2\"}, {above = 2, input = \"3\"}]",
    );
    assert!(list(&good).is_ok());
}

#[test]
fn effective_dates_that_end_early_or_overlap_are_refused() {
    for to in ["2026-01-01", "2025-12-31"] {
        assert_eq!(
            refused(&format!("input = \"1\"\neffective_from = 2026-01-01\neffective_to = \"{to}\"")),
            "price row 1 (`x`), field `effective_to`: ends at or before effective_from; the end is exclusive"
        );
    }
    for wrong in ["2026-02-29", "2026-1-1", "yesterday", "2026-01-01T00:00:00", "1767225600000", ""] {
        let message = refused(&format!("input = \"1\"\neffective_from = \"{wrong}\""));
        assert!(message.contains("field `effective_from`: must be a date"), "{wrong}: {message}");
    }
    let two = |first: &str, second: &str| {
        list(
            &(row("a", &format!("model = \"m\"\ninput = \"1\"\n{first}"))
                + &row("b", &format!("input = \"1\"\n{second}"))),
        )
    };
    let to = "effective_to = 2026-06-01";
    assert!(two(to, "model = \"m\"\neffective_from = 2026-06-01").is_ok());
    assert_eq!(
        two(to, "model = \"m\"\neffective_from = 2026-05-31").unwrap_err().to_string(),
        "price row 2 (`b`), field `model`: `m` is priced by row `a` too at that time: end one before the other begins"
    );
    let alias = two(to, "model = \"other\"\naliases = [\"M\"]\neffective_from = 2026-05-31").unwrap_err();
    assert!(alias.to_string().starts_with("price row 2 (`b`), field `aliases`: `m` is priced"), "{alias}");
    let star = two("aliases = [\"m-*\"]", "model = \"other\"\naliases = [\"m-*\"]").unwrap_err();
    assert!(star.to_string().contains("`m-*` is priced by row `a` too"), "{star}");
    let twice = list(&row("a", "model = \"m\"\naliases = [\"m\"]\ninput = \"1\"")).unwrap_err();
    assert!(twice.to_string().contains("`m` is priced by row `a` too"), "{twice}");
    // Another provider's model of that name is another model.
    assert!(two("", "model = \"m\"\nprovider = \"beta\"").is_ok());
}

#[test]
fn currencies_are_not_mixed_within_a_list_nor_with_the_built_in_one() {
    let mixed = list(
        &(row("a", "model = \"m\"\ninput = \"1\"")
            + &row("b", "model = \"n\"\ninput = \"1\"\ncurrency = \"EUR\"")),
    );
    assert_eq!(
        mixed.unwrap_err().to_string(),
        "price row 2 (`b`), field `currency`: EUR among prices in USD: keep a list to one currency"
    );
    let euros = "version = 1\ncurrency = \"EUR\"\n[[rows]]\nid = \"x\"\nprovider = \"acme\"\nmodel = \"m\"\ninput = \"1\"";
    let over = PriceList::built_in().unwrap().with_own(euros, Format::Toml).unwrap_err();
    assert!(over.to_string().contains("row 1 (`x`), field `currency`: EUR among prices in USD"), "{over}");
}

#[test]
fn ids_are_there_and_name_one_row() {
    let same = list(&(row("a", "model = \"m\"\ninput = \"1\"") + &row("a", "model = \"n\"\ninput = \"1\"")));
    assert_eq!(
        same.unwrap_err().to_string(),
        "price row 2 (`a`), field `id`: another row has this id; an id names one row for ever"
    );
    let missing = list("[[rows]]\nmodel = \"m\"\ninput = \"1\"");
    assert_eq!(missing.unwrap_err().to_string(), "price row 1, field `id`: is missing");
    let taken = format!("{HEAD}{}", row("openai:gpt-4o@2026-11-21", "model = \"m\"\ninput = \"1\""));
    let taken = PriceList::built_in().unwrap().with_own(&taken, Format::Toml).unwrap_err();
    assert!(matches!(taken, PriceListError::Row { problem: FieldProblem::DuplicateId, .. }), "{taken}");
}

#[test]
fn the_list_itself_is_read_strictly() {
    let only = |text: &str, format| PriceList::only(text, format).unwrap_err().to_string();
    for (text, message) in [
        ("{", "the price list cannot be read: EOF while parsing an object at line 1 column 1"),
        ("[]", "field `rows` of the price list: must be a table, not a list"),
        ("{}", "field `version` of the price list: is missing"),
        (r#"{"version":2}"#, "field `version` of the price list: must be 1, the one version there is"),
        (r#"{"version":1,"row":[]}"#, "field `row` of the price list: is not known here"),
        (r#"{"version":1,"rows":{}}"#, "field `rows` of the price list: must be a list, not a table"),
        (r#"{"version":1,"rows":[1]}"#, "field `rows[0]` of the price list: must be a table, not an integer"),
        (
            r#"{"version":1,"rows":[{"id":"x","model":"m","input":"1"}]}"#,
            "price row 1 (`x`), field `provider`: is missing",
        ),
        (
            r#"{"version":1,"provider":"p","rows":[{"id":"x","model":"m","input":"1"}]}"#,
            "price row 1 (`x`), field `currency`: is missing",
        ),
    ] {
        assert_eq!(only(text, Format::Json), message);
    }
    let twice = only(r#"{"version":1,"rows":[{"id":"x","input":"1","input":"2"}]}"#, Format::Json);
    assert!(twice.contains("`input` stands twice in one table"), "{twice}");
    let many = format!("{{{}}}", (0..70).map(|n| format!("\"f{n}\":1")).collect::<Vec<_>>().join(","));
    assert!(only(&many, Format::Json).contains("more than 64 fields"));
    let long = format!("# {}", "x".repeat(creto_prices::MAX_LIST_BYTES));
    assert!(only(&long, Format::Toml).contains("bytes, more than 1048576: split it"));
    let rows = format!("{{\"version\":1,\"rows\":[{}1]}}", "1,".repeat(creto_prices::MAX_ROWS));
    assert_eq!(only(&rows, Format::Json), "the price list has more than 10000 rows: split it");
    assert!(only(&"[".repeat(100_000), Format::Json).contains("recursion limit"));
}

#[test]
fn a_name_whose_rows_have_ended_never_has_the_price_of_a_relative() {
    let rows = row("snapshot", "model = \"m-2024-05-13\"\ninput = \"2\"\neffective_to = 2026-11-21")
        + &row("m", "model = \"m\"\ninput = \"1\"")
        + &row("star", "model = \"s\"\naliases = [\"s-*\"]\ninput = \"1\"")
        + &row("long", "model = \"l\"\naliases = [\"s-pro-*\"]\ninput = \"9\"\neffective_to = 2026-11-21")
        + &row("exact", "model = \"s-mini\"\ninput = \"3\"\neffective_to = 2026-11-21")
        + &row("s-pro", "model = \"s-pro\"\ninput = \"1\"");
    let own = list(&rows).unwrap();
    let at = |model, at_ms| found(&own, "acme", model, at_ms);
    for (model, before) in [("m-2024-05-13", "snapshot"), ("s-pro-x", "long"), ("s-mini", "exact")] {
        assert_eq!(at(model, AT_MS - 1).unwrap().0, before);
        assert_eq!(at(model, AT_MS), Err(Reason::NotInEffect), "{model}");
    }
    assert_eq!(at("s-pro-2027-01-01", AT_MS), Err(Reason::NotInEffect));
    // A name that nobody ended still has its likely relative's, or its star's.
    assert_eq!(at("m-2024-05-14", AT_MS), Ok(("m".to_owned(), Matched::Undated)));
    assert_eq!(at("s-max", AT_MS), Ok(("star".to_owned(), Matched::Glob)));

    // An own row of a snapshot ends: the built-in price of the undated name is another one.
    let rows = "version = 1\ncurrency = \"USD\"\n[[rows]]\nid = \"deal\"\nprovider = \"openai\"\n\
        model = \"gpt-4o-2027-02-03\"\ninput = \"1\"\neffective_to = 2026-11-21\n";
    let own = PriceList::built_in().unwrap().with_own(rows, Format::Toml).unwrap();
    assert_eq!(found(&own, "openai", "gpt-4o-2027-02-03", AT_MS), Err(Reason::NotInEffect));
    assert_eq!(found(&own, "openai", "gpt-4o-2027-02-04", AT_MS).unwrap().1, Matched::Undated);
}

#[test]
fn a_row_applies_under_every_spelling_of_its_provider() {
    for spellings in [
        &["azure-openai", "azure", "azure.ai.inference", "azure.ai.openai", "Azure_OpenAI"][..],
        &["bedrock", "aws.bedrock"],
        &["gemini", "google", "gcp.gemini", "gcp.gen_ai"],
        &["vertex", "vertex_ai", "gcp.vertex_ai"],
        &["mistral", "mistral_ai", "mistralai"],
        &["xai", "x_ai"],
    ] {
        for written in spellings {
            for of_list in [true, false] {
                let provider = format!("provider = \"{written}\"\n");
                let (above, within) = if of_list { (&*provider, "") } else { ("", &*provider) };
                let rows = format!(
                    "version = 1\ncurrency = \"USD\"\n{above}\
                    [[rows]]\nid = \"deal\"\nmodel = \"m\"\n{within}input = \"1\"\n"
                );
                let list = PriceList::built_in().unwrap().with_own(&rows, Format::Toml).unwrap();
                for called in spellings {
                    let found = found(&list, called, "m", AT_MS);
                    assert_eq!(found, Ok(("deal".to_owned(), Matched::Exact)), "{written} as {called}");
                }
            }
        }
    }
}

#[test]
fn a_row_can_name_a_model_by_its_whole_resource_path() {
    const PROFILE: &str = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3d4e5f6";
    const NOVA: &str = "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-pro-v1:0";
    let fields = |model: &str| format!("model = \"{model}\"\ninput = \"1\"");
    let rows = row("fireworks", &fields("accounts/fireworks/models/Llama-5"))
        + &row("profile", &fields(PROFILE))
        + &row("nova", &fields(NOVA))
        + &row("bare", &fields("amazon.nova-pro-v1:0"))
        + &row("star", &(fields("s") + "\naliases = [\"accounts/acme/models/*\"]"));
    let own = list(&rows).unwrap();
    let at = |model: &str| found(&own, "acme", model, AT_MS);
    for (model, id) in [
        ("accounts/fireworks/models/llama-5", "fireworks"),
        (PROFILE, "profile"),
        // The whole name comes before what is left of it.
        (NOVA, "nova"),
        ("arn:aws:bedrock:us-west-2::foundation-model/amazon.nova-pro-v1:0", "bare"),
    ] {
        assert_eq!(at(model), Ok((id.to_owned(), Matched::Exact)), "{model}");
    }
    assert_eq!(at("accounts/fireworks/models/llama-5-2026-02-03").unwrap().1, Matched::Undated);
    assert_eq!(at("accounts/acme/models/mine"), Ok(("star".to_owned(), Matched::Glob)));
    assert_eq!(at(&PROFILE.replace("a1", "a2")), Err(Reason::UnknownModel));
}

#[test]
fn an_uplift_is_a_factor_of_one_or_more_and_tools_have_a_price_before_a_dearest_one() {
    for wrong in ["0", "0.999", "100.1"] {
        let message = refused(&format!("input = \"1\"\nuplift = \"{wrong}\""));
        assert!(message.contains("`uplift`: must be a factor from 1 to 100"), "{message}");
    }
    let message = refused("input = \"1\"\ndearest_tool_call = \"0.03\"");
    assert!(message.contains("`dearest_tool_call`: only raises"), "{message}");
    assert!(refused("input = \"1\"\nuplift = \"-1\"").contains("below zero"));
    for right in ["1", "1.1", "100"] {
        let rows = row("x", &format!("model = \"m\"\ninput = \"1\"\nuplift = \"{right}\""));
        let price = list(&rows).unwrap().resolve("acme", "m", AT_MS).unwrap().price;
        assert_eq!(price.uplift().to_string(), right);
    }
}
