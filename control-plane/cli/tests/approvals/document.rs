//! What docs/approvals.md shows is done, command by command.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use crate::asker::Asker;
use crate::plane::Plane;

const DOCUMENT: &str = include_str!("../../../../docs/approvals.md");
/// How the ids in the document begin.
const IDS: &str = "3f8a1c";

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

/// The document, read by somebody whose agent asks for a call whenever the document names one.
struct Reader {
    plane: Plane,
    asker: Option<Asker>,
    /// Ids of the document, with those of real requests.
    asked: HashMap<String, String>,
}

impl Reader {
    /// The command with ids of requests that are there.
    async fn real(&mut self, command: &str) -> String {
        let mut real = Vec::new();
        for word in command.split(' ') {
            if !word.starts_with(IDS) {
                real.push(word.to_owned());
                continue;
            }
            if self.asker.is_none() {
                self.asker = Some(Asker::new(&self.plane).await);
            }
            if !self.asked.contains_key(word) {
                let number = u8::try_from(self.asked.len()).unwrap();
                let asker = self.asker.as_ref().unwrap();
                self.asked.insert(word.to_owned(), asker.asks(number, b"{}", "").await);
            }
            real.push(self.asked[word][..12].to_owned());
        }
        real.join(" ")
    }

    /// Runs a command in the folder of the files, as a shell does.
    fn types(&self, command: &str) {
        // Nobody sits at a terminal here; that it asks there is shown by a test of its own.
        let asks = command.contains("approvals approve") && !command.contains("--yes");
        let command = if asks { format!("{command} --yes") } else { command.to_owned() };
        let bin = std::path::Path::new(env!("CARGO_BIN_EXE_creto")).parent().unwrap().display().to_string();
        let path = format!("{bin}:{}", std::env::var("PATH").unwrap());
        let output = self.plane.command("sh").args(["-c", &command]).env("PATH", path).output().unwrap();
        let said =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{command}\n{said}");
    }

    /// Watches, asks, and sees that it is told.
    async fn watches(&self) {
        let mut watching = self
            .plane
            .command(env!("CARGO_BIN_EXE_creto"))
            .args(["approvals", "watch"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let out = watching.stdout.take().unwrap();
        let (say, heard) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            BufReader::new(out).read_line(&mut line).map(|_| say.send(line))
        });
        let mut line = None;
        for number in 100..160 {
            let id = self.asker.as_ref().unwrap().asks(number, b"{}", "").await;
            // The watch may not be open yet: what was asked before is not told.
            if let Ok(told) = heard.recv_timeout(std::time::Duration::from_millis(300)) {
                assert!(told.contains(&id[..12]) || told.contains("asked"), "{told}");
                line = Some(told);
                break;
            }
        }
        watching.kill().unwrap();
        watching.wait().unwrap();
        assert!(line.unwrap().contains("asked by payer: pending"));
    }
}

#[tokio::test]
async fn every_command_of_the_document_does_what_it_says() {
    let mut reader = Reader { plane: Plane::start(), asker: None, asked: HashMap::new() };
    let mut commands = 0;
    for (language, above, text) in blocks() {
        match language {
            "toml" => {
                let file = above.split('`').find(|part| part.ends_with(".toml")).unwrap();
                fs::write(reader.plane.path(file), text).unwrap();
            }
            "console" => {
                for command in text.lines().filter_map(|line| line.strip_prefix("$ ")) {
                    commands += 1;
                    if command == "creto approvals watch" {
                        reader.watches().await;
                    } else {
                        let command = reader.real(command).await;
                        reader.types(&command);
                    }
                }
            }
            other => panic!("a block of {other} is not read"),
        }
    }
    assert!(commands >= 22, "{commands} commands only");
    let state =
        |id: &str| reader.plane.json(&["approvals", "show", &reader.asked[id], "--json"])["state"].clone();
    for (id, expected) in [
        ("3f8a1c07", "approved"),
        ("3f8a1c08", "approved"),
        ("3f8a1c09", "revoked"),
        ("3f8a1c0a", "denied"),
        ("3f8a1c0b", "cancelled"),
    ] {
        assert_eq!(state(id), expected, "{id}");
    }
}
