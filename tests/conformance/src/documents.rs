//! The commands and documents that the documentation shows.

/// A fenced block of a Markdown document.
#[derive(Debug)]
pub struct Block {
    /// What stands behind the fence: `console`, `sh`, `toml`.
    pub language: String,
    /// Line of the document on which the block begins.
    pub line: usize,
    /// Its text.
    pub text: String,
}

/// The fenced blocks of a Markdown document.
#[must_use]
pub fn blocks(document: &str) -> Vec<Block> {
    let mut found: Vec<Block> = Vec::new();
    let mut open = false;
    for (at, line) in document.lines().enumerate() {
        if let Some(language) = line.strip_prefix("```") {
            open = !open;
            if open {
                found.push(Block { language: language.trim().to_owned(), line: at + 2, text: String::new() });
            }
        } else if open && let Some(block) = found.last_mut() {
            block.text.push_str(line);
            block.text.push('\n');
        }
    }
    found
}

/// The commands of a block with their lines: those after `$ ` in `console`, every line in `sh`.
#[must_use]
pub fn commands(block: &Block) -> Vec<(usize, String)> {
    let lines = block.text.lines().enumerate();
    let commands = lines.filter_map(|(at, line)| {
        let command = match block.language.as_str() {
            "console" => line.strip_prefix("$ ")?,
            "sh" => line,
            _ => return None,
        };
        let command = command.split(" #").next().unwrap_or(command).trim();
        (!command.is_empty()).then(|| (block.line + at, command.to_owned()))
    });
    commands.collect()
}

/// Splits a command as a shell does, as far as the documents need it: spaces and double quotes.
#[must_use]
pub fn words(command: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for character in command.chars() {
        match character {
            '"' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            other => {
                if let Some(word) = words.last_mut() {
                    word.push(other);
                }
            }
        }
    }
    words.retain(|word| !word.is_empty());
    words
}
