//! Names of models that can be read in only one way.

use crate::{BodyProblem, problem::shown};

/// Longest name of a model, in bytes.
pub(crate) const MAX_MODEL: usize = 256;

/// Checks a name: printable ASCII without blanks, not empty, not too long.
pub(crate) fn check(name: &str) -> Result<(), BodyProblem> {
    if name.is_empty() {
        return Err(BodyProblem::Model("its name is empty".to_owned()));
    }
    if name.len() > MAX_MODEL {
        return Err(BodyProblem::Model(format!("its name is longer than {MAX_MODEL} bytes")));
    }
    match name.chars().find(|character| !character.is_ascii_graphic()) {
        Some(' ') => Err(BodyProblem::Model(format!("a blank stands in its name \"{}\"", shown(name)))),
        Some(_) => Err(BodyProblem::Model(format!(
            "its name \"{}\" holds characters other than printable ASCII",
            shown(name)
        ))),
        None => Ok(()),
    }
}

/// Checks a name that stood in a path or query and has been decoded once: nothing may be left that a server could decode
/// again, or take for another part of the path.
pub(crate) fn check_decoded(name: &str) -> Result<(), BodyProblem> {
    check(name)?;
    let dots = name.split('/').any(|part| matches!(part, "" | "." | ".."));
    if dots || name.contains(['%', '\\', '?', '#', ';']) {
        return Err(BodyProblem::Model(format!(
            "its name \"{}\" in the path can be read in more than one way",
            shown(name)
        )));
    }
    Ok(())
}
