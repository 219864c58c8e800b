//! What docs/meter-usage.md shows is done, command by command, and comes to what it says.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;
use std::process::Command;

use creto_test_clients::Program;
use creto_test_support::{Plane, binary};

const DOCUMENT: &str = include_str!("../../../docs/meter-usage.md");
/// The address in the document.
const ADDRESS: &str = "https://127.0.0.1:8443";

/// The fenced blocks, with what stands behind the fence.
fn blocks() -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    let mut open = false;
    for line in DOCUMENT.lines() {
        if let Some(language) = line.strip_prefix("```") {
            open = !open;
            if open {
                found.push((language.to_owned(), String::new()));
            }
        } else if open && let Some((_, text)) = found.last_mut() {
            text.push_str(line);
            text.push('\n');
        }
    }
    found
}

struct Reader<'p> {
    plane: &'p Plane,
    folder: &'p Path,
}

impl Reader<'_> {
    async fn run(&self, program: Program) -> String {
        let bin = binary("creto").parent().unwrap().display().to_string();
        let path = format!("{bin}:{}", std::env::var("PATH").unwrap());
        let data = self.plane.data();
        let variables = [
            ("PATH", path),
            ("CRETO_CONTROL_PLANE", self.plane.address().to_owned()),
            ("CRETO_CONTROL_PLANE_CA", data.join("ca.pem").display().to_string()),
            ("CRETO_TOKEN_FILE", data.join("operator.token").display().to_string()),
            ("WHERE", self.folder.display().to_string()),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value));
        let ran = program.run(&variables).await;
        assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
        ran.out
    }

    /// A command of the document, in a folder with what it names.
    async fn types(&self, command: &str) -> String {
        let command = format!("cd \"$WHERE\" && {}", command.replace(ADDRESS, self.plane.address()));
        self.run(Program::new("bash").args(&["-c", &command])).await
    }
}

#[tokio::test]
async fn every_command_of_the_document_does_what_it_says() {
    let plane = Plane::start().await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(plane.ca_file(), folder.path().join("ca.pem")).unwrap();
    let reader = Reader { plane: &plane, folder: folder.path() };
    let (mut commands, mut answers) = (0, Vec::new());
    for (language, text) in blocks() {
        match language.as_str() {
            "console" => {
                for command in text.lines().filter_map(|line| line.strip_prefix("$ ")) {
                    commands += 1;
                    answers.push((command.to_owned(), reader.types(command).await));
                }
            }
            "json" => {
                let today = Command::new("date").args(["-u", "+%FT%H:00:0"]).output().unwrap();
                let today = String::from_utf8(today.stdout).unwrap();
                let text = text.replace("2026-10-14T10:20:0", today.trim());
                std::fs::write(folder.path().join("events.json"), text).unwrap();
            }
            "python" => {
                let script = folder.path().join("document.py");
                let text = text.replace(ADDRESS, plane.address());
                std::fs::write(&script, format!("import os\nos.chdir(os.environ['WHERE'])\n{text}")).unwrap();
                let install = concat!(env!("CARGO_MANIFEST_DIR"), "/../../sdk/python/tests/install.sh");
                let python = Command::new("bash").arg(install).output().unwrap();
                let python = String::from_utf8(python.stdout).unwrap();
                reader.run(Program::new(python.trim()).args(&[&script.display().to_string()])).await;
            }
            // Compiled as the module's own example.
            "rust" => {}
            other => panic!("a block of {other} is not read"),
        }
    }
    assert!(commands >= 11, "{commands} commands only");
    let said = |part: &str| &answers.iter().rev().find(|(command, _)| command.contains(part)).unwrap().1;
    assert!(said("ce-id").contains("\"accepted\":1"), "{}", said("ce-id"));
    assert!(said("@events.json").contains("\"accepted\":2"), "{}", said("@events.json"));
    let total: Vec<&str> = said("images.pixels --since").split_whitespace().collect();
    assert!(total.contains(&"jpeg") && total.contains(&"4096"), "{total:?}");
    // 1,048,576 and 8,192 of curl, 2,048 of Python.
    assert!(total.contains(&"png") && total.contains(&"1058816"), "{total:?}");
    let verified: serde_json::Value = serde_json::from_str(said("verify --producer")).unwrap();
    assert_eq!(verified[0]["adds_up"], true, "{verified}");
    assert_eq!(verified[0]["accepted"], 1);
    assert!(said("creto meter verify").contains("billing-job"));
}
