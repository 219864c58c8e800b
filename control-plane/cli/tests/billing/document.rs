//! What docs/bill-customers.md shows is done, command by command.

use std::fs;

use crate::plane::{DAY_US, Plane, shown, yesterday_us};

const DOCUMENT: &str = include_str!("../../../../docs/bill-customers.md");

/// The fenced blocks: what stands behind the fence, the line of text above it, and the text.
fn blocks() -> Vec<(&'static str, String, String)> {
    let mut found: Vec<(&str, String, String)> = Vec::new();
    let (mut open, mut above) = (false, String::new());
    for line in DOCUMENT.lines() {
        if let Some(language) = line.strip_prefix("```") {
            open = !open;
            if open {
                found.push((language, above.clone(), String::new()));
            }
        } else if open && let Some((_, _, text)) = found.last_mut() {
            text.push_str(line);
            text.push('\n');
        } else if !line.is_empty() {
            above = line.to_owned();
        }
    }
    found
}

/// The file that a line of text names.
fn named(line: &str) -> &str {
    line.split('`').find(|part| part.ends_with(".toml")).unwrap()
}

#[tokio::test]
async fn every_command_of_the_document_does_what_it_says() {
    let plane = Plane::start();
    // The document bills months since January: here it is yesterday, by the day.
    let since = shown(yesterday_us());
    let (mut commands, mut used) = (0, false);
    for (language, above, text) in blocks() {
        match language {
            "toml" => {
                let text = text.replace("2026-01-01T00:00:00Z", &since).replace("monthly", "daily");
                fs::write(plane.path(named(&above)), text.replace("Europe/Paris", "UTC")).unwrap();
            }
            "console" => {
                for command in text.lines().filter_map(|line| line.strip_prefix("$ ")) {
                    if command.starts_with("creto invoice preview") && !used {
                        used = true;
                        plane.rendered("acme-team", yesterday_us() + DAY_US / 2, &[("painter", 12)]).await;
                    }
                    types(&plane, command, &since);
                    commands += 1;
                }
            }
            other => panic!("a block of {other} is not read"),
        }
    }
    assert!(commands >= 35, "{commands} commands only");
}

/// Runs a command in the folder of the files, as a shell does.
fn types(plane: &Plane, command: &str, since: &str) {
    let mut command = command.replace("2026-01-01T00:00:00Z", since).replace("--grace 1h", "--grace 0s");
    if command.contains("acknowledge") || command.contains("INV-000002") {
        // Of what happens elsewhere: that they are understood is shown by the documents' own test.
        command.push_str(" --help");
    }
    let bin = std::path::Path::new(env!("CARGO_BIN_EXE_creto")).parent().unwrap().display().to_string();
    let path = format!("{bin}:{}", std::env::var("PATH").unwrap());
    let output = plane.command("sh").args(["-c", &command]).env("PATH", path).output().unwrap();
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command}\n{said}");
}
