//! The plan of the house: what may stand where, and who may lean on whom.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::fs;

use creto_test_conformance::{SourceFile, members, root, source_files};

/// Folders at the top, and what the crates of each may depend on. One direction only:
/// proto <- filters <- {proxy, control-plane} <- tests, benches.
const AREAS: [(&str, &[&str]); 8] = [
    ("proto", &["proto"]),
    ("filters", &["filters", "proto"]),
    ("proxy", &["proxy", "filters", "proto", "ebpf/loader"]),
    ("control-plane", &["control-plane", "filters", "proto"]),
    ("ebpf", &["ebpf"]),
    ("sandbox-shim", &["ebpf/loader", "proto"]),
    ("tests", EVERYTHING),
    ("benches", EVERYTHING),
];
const EVERYTHING: &[&str] =
    &["proto", "filters", "proxy", "control-plane", "ebpf", "sandbox-shim", "tests", "benches"];

/// Folders at the top that hold no crates.
const WITHOUT_CRATES: [&str; 6] = ["deploy", "docs", "sdk", ".ci", ".config", ".git"];

/// Folders that tools make and git ignores.
const MADE_BY_TOOLS: [&str; 4] = ["target", ".venv", "node_modules", "__pycache__"];

/// The one crate that may hold code the compiler does not check.
const UNCHECKED: &str = "proxy/mapped";

/// Bytes that one source file may have.
const LARGEST_FILE: usize = 40_000;

/// Bytes that the Rust files may have on average.
const MEAN_FILE: usize = 10_000;

#[test]
fn only_the_planned_folders_stand_at_the_top() {
    for entry in fs::read_dir(root()).unwrap() {
        let entry = entry.unwrap();
        if !entry.file_type().unwrap().is_dir() {
            continue;
        }
        let name = entry.file_name().to_string_lossy().into_owned();
        let planned = AREAS.iter().any(|(area, _)| *area == name)
            || WITHOUT_CRATES.contains(&name.as_str())
            || MADE_BY_TOOLS.contains(&name.as_str());
        assert!(planned, "{name}/ is no folder of the plan (ARCHITECTURE.md has the map)");
    }
}

#[test]
fn dependencies_run_one_way() {
    let members = members();
    let folders: BTreeMap<&str, &str> =
        members.iter().map(|member| (member.name.as_str(), member.folder.as_str())).collect();
    let allowed: BTreeMap<&str, &[&str]> = AREAS.into_iter().collect();
    let mut wrong = Vec::new();
    for member in &members {
        let Some(may) = allowed.get(member.area()) else {
            wrong.push(format!("{} lives in {}, which the plan does not have", member.name, member.folder));
            continue;
        };
        let fits = |target: &str, list: &[&str]| {
            list.iter().any(|area| target == *area || target.starts_with(&format!("{area}/")))
        };
        for name in &member.dependencies {
            if let Some(target) = folders.get(name.as_str()).filter(|target| !fits(target, may)) {
                wrong.push(format!("{} ({}) depends on {name} ({target})", member.name, member.folder));
            }
        }
        // Tests beside a crate may use the test support besides.
        for name in &member.dev_dependencies {
            let target = folders.get(name.as_str());
            if let Some(target) =
                target.filter(|target| !fits(target, may) && !fits(target, &["tests/support"]))
            {
                wrong.push(format!("the tests of {} ({}) use {name} ({target})", member.name, member.folder));
            }
        }
    }
    assert!(wrong.is_empty(), "against the plan:\n  {}", wrong.join("\n  "));
}

#[test]
fn an_engine_is_named_where_it_is_at_home_only() {
    // Leases, events and bills each have a database of their own, with one way in; newer stores share theirs.
    let homes: [(&str, &[&str]); 3] = [
        ("pingora-core", &["proxy/"]),
        (
            "sqlx",
            &[
                "control-plane/store",
                "control-plane/quota",
                "control-plane/metering",
                "control-plane/billing",
                "control-plane/sql",
            ],
        ),
        ("redis", &["control-plane/quota"]),
    ];
    for (engine, homes) in homes {
        for member in members() {
            let names = [&member.dependencies, &member.dev_dependencies];
            if names.iter().any(|list| list.iter().any(|name| name == engine)) {
                let at_home = homes.iter().any(|home| member.folder.starts_with(home));
                assert!(at_home, "{} names {engine}: only {homes:?} may", member.folder);
            }
        }
    }
}

#[test]
fn every_crate_root_forbids_unchecked_code() {
    let attribute = format!("#![forbid({}_code)]", word());
    for member in members().iter().filter(|member| member.folder != UNCHECKED) {
        for path in &member.roots {
            let text = fs::read_to_string(path).unwrap();
            assert!(text.contains(&attribute), "{} lacks {attribute}", path.display());
        }
    }
}

#[test]
fn exactly_one_crate_holds_unchecked_code() {
    let mut holders: Vec<String> = written()
        .iter()
        .filter(|file| file.is("rs") && file.lines().any(|(_, line)| is_unchecked(line)))
        .map(|file| file.path.splitn(3, '/').take(2).collect::<Vec<_>>().join("/"))
        .collect();
    holders.dedup();
    assert_eq!(holders, [UNCHECKED]);
}

#[test]
fn files_stay_small() {
    let files = written();
    for file in &files {
        assert!(
            file.text.len() <= LARGEST_FILE,
            "{} has {} bytes, over the cap of {LARGEST_FILE}: a room that wants walls",
            file.path,
            file.text.len()
        );
    }
    let sizes: Vec<usize> = files.iter().filter(|file| file.is("rs")).map(|file| file.text.len()).collect();
    let mean = sizes.iter().sum::<usize>() / sizes.len();
    assert!(mean <= MEAN_FILE, "Rust files have {mean} bytes on average, over {MEAN_FILE}");
}

#[test]
fn nothing_is_left_unfinished_or_skipped() {
    let marks = [["TO", "DO"], ["FIX", "ME"], ["todo", "!("], ["unimplemented", "!("], ["#[ign", "ore"]]
        .map(|halves| halves.concat());
    let mut found = Vec::new();
    for file in written() {
        for (number, line) in file.lines() {
            if marks.iter().any(|mark| line.contains(mark.as_str())) {
                found.push(format!("{}:{number}: {}", file.path, line.trim()));
            }
        }
    }
    assert!(found.is_empty(), "unfinished or skipped:\n  {}", found.join("\n  "));
}

#[test]
fn every_crate_takes_the_lints_of_the_workspace() {
    for member in members().iter().filter(|member| member.folder != UNCHECKED) {
        let manifest = fs::read_to_string(root().join(&member.folder).join("Cargo.toml")).unwrap();
        assert!(manifest.contains("[lints]\nworkspace = true"), "{} sets its own lints", member.folder);
    }
}

fn written() -> Vec<SourceFile> {
    source_files(&root())
}

/// The keyword, in two halves so that this file does not hold it.
fn word() -> String {
    ["uns", "afe"].concat()
}

/// Whether a line of code, comments aside, opens unchecked code.
fn is_unchecked(line: &str) -> bool {
    let code = line.split("//").next().unwrap_or(line);
    let word = word();
    code.match_indices(&word).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        let rest = code[at + word.len()..].trim_start();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
            && ["{", "fn ", "impl ", "extern ", "trait ", "("].iter().any(|next| rest.starts_with(next))
    })
}

#[test]
fn unchecked_code_is_recognised() {
    let word = word();
    for line in
        [format!("{word} {{ f() }}"), format!("pub {word} fn f() {{}}"), format!("#[{word}(no_mangle)]")]
    {
        assert!(is_unchecked(&line), "{line}");
    }
    for line in [format!("// {word} {{"), format!("#![forbid({word}_code)]"), format!("an {word} thing")] {
        assert!(!is_unchecked(&line), "{line}");
    }
}
