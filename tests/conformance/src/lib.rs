//! Whether the house is built as its plan says: folders, dependencies, file sizes, documents.
#![forbid(unsafe_code)]

mod documents;
mod files;
mod workspace;

pub use documents::{Block, blocks, commands, words};
pub use files::{SourceFile, source_files};
pub use workspace::{Member, members, root};
