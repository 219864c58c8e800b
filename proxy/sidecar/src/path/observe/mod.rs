//! observe: what an answer says while it streams through. Most answers are not read at all; those that are cost a
//! constant amount of memory each.

mod answer_plan;
mod answer_room;
mod list_watch;
mod reading;
mod shape;
mod stray_list;
mod tools;

use creto_credentials::Scrubber;
use creto_mcp::AnswerProblem;
use http::HeaderMap;
use http::header::HeaderName;

pub(crate) use answer_plan::AnswerPlan;
pub(crate) use answer_room::AnswerRoom;
pub(crate) use creto_metering::Ending;
pub(crate) use reading::{PAUSE, Reading};
pub(crate) use shape::shape_of;
pub(crate) use tools::ToolGate;

/// Why an answer is not handed on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AnswerFault {
    #[error(transparent)]
    Mcp(#[from] AnswerProblem),
    #[error("the answer came as {0}, though it was asked for plain: what it shows cannot be checked")]
    Encoded(String),
    #[error("the MCP server put a list of tools into the answer to another call")]
    StrayList,
    #[error("too many long answers of MCP servers are held at once")]
    NoRoom,
}

/// All that a header says, as clients read one that occurs more than once.
fn said(headers: &HeaderMap, name: &HeaderName) -> String {
    let values: Vec<_> =
        headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
    values.join(", ")
}

/// Values are covered; a name cannot be, so such a header goes.
fn drop_names_with_secrets(scrubber: &Scrubber, headers: &mut HeaderMap) {
    let named: Vec<_> =
        headers.keys().filter(|name| scrubber.scrub_text(name.as_str()).is_some()).cloned().collect();
    for name in named {
        headers.remove(name);
    }
}
