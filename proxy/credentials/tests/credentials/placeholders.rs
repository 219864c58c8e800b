//! A placeholder does not leave for a host it is not for.
use crate::support::request;
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use creto_credentials::{ForeignPlaceholder, Place, Placeholders, PlaceholdersError};
use http::HeaderName;
use proptest::prelude::*;

const OPENAI: &str = "creto-placeholder-openai";
const CUSTOM: &str = "sk-fake-000000";

fn placeholders() -> Placeholders {
    Placeholders::new([CUSTOM, OPENAI, "sk-fake-0000001"]).unwrap()
}

fn found(uri: &str, headers: &[(&str, &str)], allowed: Option<&str>) -> Option<(String, Place)> {
    foreign(uri, headers, allowed).map(|found| (found.placeholder, found.place))
}

fn foreign(uri: &str, headers: &[(&str, &str)], allowed: Option<&str>) -> Option<ForeignPlaceholder> {
    let parts = request(uri, headers);
    placeholders().find_foreign(&parts.headers, &parts.uri, allowed)
}

#[test]
fn a_foreign_placeholder_is_found_in_each_place() {
    let header = |name| Place::Header(HeaderName::from_static(name));
    let basic = |name| Place::Basic(HeaderName::from_static(name));
    let bearer = format!("Bearer {OPENAI}");
    let pair = format!("x:{OPENAI}");
    let encoded = OPENAI.replace('-', "%2d");
    for (uri, headers, place) in [
        ("/".to_owned(), vec![("authorization", bearer)], header("authorization")),
        ("/".into(), vec![("x-note", format!("a {OPENAI}. b"))], header("x-note")),
        (
            "/".into(),
            vec![("authorization", format!("Basic {}", STANDARD.encode(&pair)))],
            basic("authorization"),
        ),
        (
            "/".into(),
            vec![("authorization", format!("BASIC  {}", STANDARD_NO_PAD.encode(&pair)))],
            basic("authorization"),
        ),
        (
            "/".into(),
            vec![("x-auth", format!("basic {}", URL_SAFE_NO_PAD.encode(format!("{pair}?>~ÿ"))))],
            basic("x-auth"),
        ),
        (format!("/a/{OPENAI}/b"), vec![], Place::Path),
        (format!("/a/{encoded}/b"), vec![], Place::Path),
        (format!("/?a={OPENAI}"), vec![], Place::Query),
        (format!("/?{OPENAI}"), vec![], Place::Query),
        (format!("/?a=%20{encoded}"), vec![], Place::Query),
        (format!("http://{OPENAI}:x@h/"), vec![], Place::UserInfo),
    ] {
        let headers: Vec<(&str, &str)> =
            headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert_eq!(found(&uri, &headers, None), Some((OPENAI.into(), place.clone())), "{uri} {headers:?}");
        let other = Some("creto-placeholder-open");
        assert_eq!(found(&uri, &headers, other), Some((OPENAI.into(), place)), "{uri} {headers:?}");
        assert_eq!(found(&uri, &headers, Some(OPENAI)), None, "{uri} {headers:?}");
    }
}

#[test]
fn a_foreign_one_is_found_behind_an_allowed_one() {
    let value = format!("{OPENAI} {OPENAI} creto-placeholder-github");
    let place = Place::Header(HeaderName::from_static("x"));
    assert_eq!(
        found("/", &[("x", &value)], Some(OPENAI)),
        Some(("creto-placeholder-github".into(), place.clone()))
    );
    let glued = format!("{OPENAI}{OPENAI}");
    assert_eq!(found("/", &[("x", &glued)], Some(OPENAI)), Some((glued.clone(), place)));
}

#[test]
fn placeholders_chosen_by_hand_are_found() {
    let place = Place::Header(HeaderName::from_static("x"));
    assert_eq!(found("/", &[("x", CUSTOM)], None), Some((CUSTOM.into(), place.clone())));
    assert_eq!(found("/", &[("x", CUSTOM)], Some(CUSTOM)), None);
    assert_eq!(
        found("/", &[("x", "sk-fake-0000001")], Some(CUSTOM)),
        Some(("sk-fake-0000001".into(), place))
    );
    assert_eq!(found("/", &[("x", "sk-fake-0000001")], Some("sk-fake-0000001")), None);
}

#[test]
fn what_is_no_placeholder_is_let_through() {
    let headers = [
        ("x", "creto-placeholder"),
        ("y", "CRETO-PLACEHOLDER-OPENAI"),
        ("z", "Basic"),
        ("w", "Basic !"),
        ("v", ""),
    ];
    assert_eq!(found("/creto%2?x=%", &headers, None), None);
}

#[test]
fn what_is_found_says_where_and_is_bounded() {
    let long = format!("creto-placeholder-{}", "x".repeat(10_000));
    let found = foreign("/", &[("x-key", &long)], None).unwrap();
    assert_eq!(found.placeholder.len(), 128);
    assert!(found.to_string().contains("in header x-key is not for this destination"));
}

#[test]
fn lists_of_placeholders_are_bounded() {
    assert_eq!(Placeholders::new(["short"]).err(), Some(PlaceholdersError::Length));
    let many: Vec<String> = (0..5000).map(|number| format!("placeholder-{number}")).collect();
    assert_eq!(Placeholders::new(many.iter().map(String::as_str)).err(), Some(PlaceholdersError::TooMany));
    Placeholders::new(many[..4000].iter().map(String::as_str)).unwrap();
}

proptest! {
    #[test]
    fn a_placeholder_is_found_wherever_it_is_written(
        before in "[!-~]{0,50}",
        after in "([ -,.-/:-@]{1}[ -~]{0,50})?",
        pad in 0..3_usize,
    ) {
        let text = format!("{}{before}{OPENAI}{after}", "p".repeat(pad));
        let wanted = Some(OPENAI.to_owned());
        // An earlier match would be one of another name.
        prop_assume!(!before.contains("creto-placeholder-"));
        let found = |uri: &str, headers: &[(&str, &str)]| found(uri, headers, None).map(|found| found.0);
        prop_assert_eq!(found("/", &[("x", &text)]), wanted.clone());
        prop_assert_eq!(found("/", &[("x", &format!("Basic {}", STANDARD.encode(&text)))]), wanted.clone());
        let escaped: String = text.bytes().map(|byte| format!("%{byte:02x}")).collect();
        prop_assert_eq!(found(&format!("/?q={escaped}"), &[]), wanted.clone());
        prop_assert_eq!(found(&format!("/{escaped}"), &[]), wanted);
    }
}
