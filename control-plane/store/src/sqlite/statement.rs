//! SQL as named constants, so that one test can read all of it.

/// Declares statements, and in tests the list of them.
macro_rules! statements {
    ($($name:ident = $sql:literal;)+) => {
        $(const $name: &str = $sql;)+
        /// Every statement of this file, by name.
        #[cfg(test)]
        pub(super) const ALL: &[(&str, &str)] = &[$((stringify!($name), $sql),)+];
    };
}

pub(super) use statements;
