//! The main job, end to end: an agent, its sidecar, a control plane, a real upstream. See `tests/`.
#![forbid(unsafe_code)]
