//! How measurements are taken and told: what every bench shares, without what any of them measures.
#![forbid(unsafe_code)]

pub mod report;
pub mod timing;
