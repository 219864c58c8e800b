//! Names of models and providers as calls carry them.

/// Longest model name looked up, in bytes, resource paths included; a longer one is unknown.
pub const MAX_LOOKUP_BYTES: usize = 512;

/// Other names of providers: those of the OpenTelemetry conventions, and common spellings.
const PROVIDER_ALIASES: [(&str, &str); 13] = [
    ("aws.bedrock", "bedrock"),
    ("azure", "azure-openai"),
    ("azure.ai.inference", "azure-openai"),
    ("azure.ai.openai", "azure-openai"),
    ("azure_openai", "azure-openai"),
    ("gcp.gemini", "gemini"),
    ("gcp.gen_ai", "gemini"),
    ("gcp.vertex_ai", "vertex"),
    ("google", "gemini"),
    ("mistral_ai", "mistral"),
    ("mistralai", "mistral"),
    ("vertex_ai", "vertex"),
    ("x_ai", "xai"),
];

/// The provider's name in rows.
pub(crate) fn provider(name: &str) -> String {
    let lower = name.to_ascii_lowercase();
    let alias = PROVIDER_ALIASES.iter().find(|(alias, _)| *alias == lower);
    alias.map_or(lower, |(_, provider)| (*provider).to_owned())
}

/// The names to look a model up by, in this order: its whole name in lower case, so that a row can name a resource of
/// the customer's own, then what [`bare`] leaves of it. None if it is empty or too long.
pub(crate) fn lookups(name: &str) -> Vec<String> {
    if name.is_empty() || name.len() > MAX_LOOKUP_BYTES {
        return Vec::new();
    }
    let lower = name.to_ascii_lowercase();
    let bare = bare(&lower).map(str::to_owned);
    std::iter::once(lower).chain(bare).collect()
}

/// The model's name without the resource path around it, if there is one: `models/x`, `publishers/google/models/x`,
/// and ARNs of Bedrock's foundation models and system inference profiles. Application inference profiles and
/// provisioned models have names of the customer's own, which tell nothing.
fn bare(lower: &str) -> Option<&str> {
    if lower.starts_with("arn:") {
        let (head, model) = lower.split_once('/')?;
        let ours = head.ends_with(":foundation-model") || head.ends_with(":inference-profile");
        return (ours && !model.is_empty()).then_some(model);
    }
    let (head, model) = lower.rsplit_once("models/")?;
    ((head.is_empty() || head.ends_with('/')) && !model.is_empty()).then_some(model)
}

/// The undated name of a dated one: `gpt-4o` of `gpt-4o-2024-08-06`, `claude-opus-4` of `claude-opus-4@20250514`.
///
/// Only a whole date of the calendar from 2020 on, after `-` or `@`, is taken off, so the rest is the name of a model
/// whose snapshot this is. Anything shorter (`-0613`, `-002`, `-mini`) can be a model of its own.
/// Nor does an ARN that a row may name have one: what it ends in is an id.
pub(crate) fn undated(name: &str) -> Option<&str> {
    if name.starts_with("arn:") {
        return None;
    }
    let whole = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    let valid = |year: &str, month: &str, day: &str| {
        let number = |digits: &str| if whole(digits) { digits.parse::<i16>().ok() } else { None };
        let (Some(year), Some(month), Some(day)) = (number(year), number(month), number(day)) else {
            return false;
        };
        let (Ok(month), Ok(day)) = (i8::try_from(month), i8::try_from(day)) else { return false };
        (2020..2100).contains(&year) && jiff::civil::Date::new(year, month, day).is_ok()
    };
    let cut = |length: usize| name.split_at_checked(name.len().checked_sub(length)?);
    let base = |rest: &'_ str| rest.ends_with(['-', '@']) && rest.len() > 1;
    if let Some((rest, date)) = cut(10)
        && base(rest)
        && date.is_ascii()
        && date.as_bytes()[4] == b'-'
        && date.as_bytes()[7] == b'-'
        && valid(&date[..4], &date[5..7], &date[8..])
    {
        return Some(&rest[..rest.len() - 1]);
    }
    if let Some((rest, date)) = cut(8)
        && base(rest)
        && date.is_ascii()
        && valid(&date[..4], &date[4..6], &date[6..])
    {
        return Some(&rest[..rest.len() - 1]);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{lookups, provider, undated};

    #[test]
    fn a_whole_date_is_taken_off_and_nothing_else() {
        for (name, base) in [
            ("gpt-4o-2024-08-06", Some("gpt-4o")),
            ("claude-opus-4@20250514", Some("claude-opus-4")),
            ("claude-opus-4-20250514", Some("claude-opus-4")),
            ("gpt-4-0613", None),
            ("gpt-4o-mini", None),
            ("gemini-1.5-pro-002", None),
            ("gpt-4o-2024-13-06", None),
            ("gpt-4o-2023-02-29", None),
            ("gpt-4o-20230229", None),
            ("gpt-4o2024-08-06", None),
            ("model-12345678", None),
            ("-20250514", None),
            ("20250514", None),
            ("", None),
            ("gpt-é-2024-08-06", Some("gpt-é")),
            ("gpt-4o-2024-08-0é", None),
            ("arn:aws:bedrock:us-east-1:1:provisioned-model/ab-20250514", None),
        ] {
            assert_eq!(undated(name), base, "{name}");
        }
    }

    #[test]
    fn a_name_is_looked_up_whole_and_then_without_its_resource_path() {
        for (name, bare) in [
            ("GPT-4o", None),
            ("models/gemini-2.5-pro", Some("gemini-2.5-pro")),
            ("models/", None),
            ("publishers/google/models/gemini-2.5-pro", Some("gemini-2.5-pro")),
            ("mymodels/x", None),
            ("openai/gpt-oss-120b", None),
            (
                "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-pro-v1:0",
                Some("amazon.nova-pro-v1:0"),
            ),
            (
                "arn:aws:bedrock:us-east-1:1:inference-profile/us.amazon.nova-pro-v1:0",
                Some("us.amazon.nova-pro-v1:0"),
            ),
            ("arn:aws:bedrock:us-east-1:1:application-inference-profile/ab12", None),
            ("arn:aws:bedrock:us-east-1:1:provisioned-model/ab12", None),
        ] {
            let whole = name.to_ascii_lowercase();
            let expected: Vec<&str> = std::iter::once(whole.as_str()).chain(bare).collect();
            assert_eq!(lookups(name), expected, "{name}");
        }
        assert!(lookups("").is_empty());
        assert!(lookups(&"x".repeat(513)).is_empty());
    }

    #[test]
    fn a_providers_other_names_lead_to_it() {
        for (name, row) in
            [("OpenAI", "openai"), ("azure", "azure-openai"), ("gcp.vertex_ai", "vertex"), ("acme", "acme")]
        {
            assert_eq!(provider(name), row);
        }
    }
}
