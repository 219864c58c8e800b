//! What the documents tell people to type is understood by what they type it to.
#![forbid(unsafe_code)]

use std::collections::BTreeSet;
use std::fs;

use clap::Parser;
use creto_cli::Cli;
use creto_policy::Document;
use creto_test_conformance::{SourceFile, blocks, commands, root, source_files, words};

fn documents() -> Vec<SourceFile> {
    source_files(&root()).into_iter().filter(|file| file.is("md")).collect()
}

/// Every command of every document, with where it stands.
fn all_commands() -> Vec<(String, Vec<String>)> {
    let mut found = Vec::new();
    for document in documents() {
        for block in blocks(&document.text) {
            for (line, command) in commands(&block) {
                found.push((format!("{}:{line}", document.path), words(&command)));
            }
        }
    }
    found
}

fn make_targets() -> BTreeSet<String> {
    let makefile = fs::read_to_string(root().join("Makefile")).unwrap_or_default();
    let rules = makefile.lines().filter_map(|line| line.split_once(':'));
    let targets = rules.filter(|(name, _)| name.chars().all(|c| c.is_ascii_lowercase()));
    targets.map(|(name, _)| name.to_owned()).collect()
}

#[test]
fn every_creto_command_shown_is_understood() {
    let shown: Vec<_> = all_commands().into_iter().filter(|(_, words)| words[0] == "creto").collect();
    assert!(shown.len() >= 20, "the documents show {} creto commands only", shown.len());
    for (place, words) in shown {
        if let Err(error) = Cli::try_parse_from(&words) {
            panic!("{place}: {}\n{error}", words.join(" "));
        }
    }
}

#[test]
fn every_kind_of_command_is_shown_somewhere() {
    let shown: BTreeSet<String> = all_commands()
        .into_iter()
        .filter(|(_, words)| words[0] == "creto")
        .filter_map(|(_, words)| words.get(1).cloned())
        .collect();
    let command = <Cli as clap::CommandFactory>::command();
    for kind in command.get_subcommands() {
        assert!(shown.contains(kind.get_name()), "no document shows `creto {}`", kind.get_name());
    }
}

#[test]
fn every_make_target_named_in_the_documents_exists() {
    let targets = make_targets();
    for (place, words) in all_commands().into_iter().filter(|(_, words)| words[0] == "make") {
        for word in words[1..].iter().filter(|word| !word.contains('=')) {
            assert!(targets.contains(word), "{place}: there is no `make {word}`");
        }
    }
    for document in documents() {
        for (number, line) in document.lines() {
            for rest in line.split("`make ").skip(1) {
                let named = rest.split(['`', ' ']).next().unwrap_or_default();
                assert!(targets.contains(named), "{}:{number}: there is no `make {named}`", document.path);
            }
        }
    }
}

#[test]
fn the_readme_shows_the_two_commands() {
    let shown: Vec<String> = all_commands()
        .into_iter()
        .filter(|(place, _)| place.starts_with("README.md"))
        .map(|(_, w)| w.join(" "))
        .collect();
    for command in ["make run", "make test"] {
        assert!(shown.iter().any(|found| found == command), "README.md does not show `{command}`");
    }
}

#[test]
fn every_policy_shown_holds() {
    let mut seen = 0;
    for document in documents() {
        for block in blocks(&document.text).iter().filter(|block| block.text.starts_with("version = 1")) {
            let place = format!("{}:{}", document.path, block.line);
            if let Err(problems) = Document::parse(&place, &block.text) {
                panic!("{problems}");
            }
            seen += 1;
        }
    }
    assert!(seen >= 1, "no document shows a policy");
}

#[test]
fn the_demos_policy_holds() {
    let text = fs::read_to_string(root().join("deploy/demo/policy.toml")).unwrap();
    if let Err(problems) = Document::parse("deploy/demo/policy.toml", &text) {
        panic!("{problems}");
    }
}

#[test]
fn every_link_between_documents_leads_somewhere() {
    for document in documents() {
        let folder = root().join(&document.path);
        let folder = folder.parent().unwrap();
        for (number, line) in document.lines() {
            for rest in line.split("](").skip(1) {
                let target = rest.split([')', '#']).next().unwrap_or_default();
                if target.is_empty() || target.contains("://") {
                    continue;
                }
                let there = folder.join(target).try_exists().unwrap_or(false);
                assert!(there, "{}:{number}: {target} is not there", document.path);
            }
        }
    }
}

#[test]
fn every_bound_is_listed_with_an_owner_that_exists() {
    let limits = ["docs/limits.md", "docs/limits-of-money.md", "docs/limits-of-oversight.md"]
        .map(|path| fs::read_to_string(root().join(path)).unwrap())
        .concat();
    let mut rows = 0;
    for row in limits.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| bound")) {
        let owners: Vec<&str> = row.split('`').filter(|part| part.ends_with(".rs")).collect();
        assert!(!owners.is_empty(), "no owner: {row}");
        for owner in owners {
            assert!(root().join(owner).try_exists().unwrap(), "{owner} is not there: {row}");
        }
        rows += 1;
    }
    assert!(rows >= 100, "the documents list {rows} bounds only");
}
