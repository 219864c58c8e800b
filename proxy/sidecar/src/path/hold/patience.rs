//! How long a call is held open.

use std::time::Duration;

use creto_policy::Hold;
use http::HeaderMap;
use tokio::time::Instant;

/// Until when: as long as the policy says, or as long as the client says that it waits (`Prefer: wait=N`, RFC 7240
/// section 4.3), be that shorter or longer.
pub(crate) fn until(inline: Duration, headers: &HeaderMap) -> Instant {
    Instant::now() + preferred(headers).unwrap_or(inline).min(Hold::MAX_INLINE)
}

fn preferred(headers: &HeaderMap) -> Option<Duration> {
    let values = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
    let mut waits = values.flat_map(|value| value.split(',')).filter_map(|preference| {
        // Parameters behind `;` say nothing of a wait.
        let (name, value) = preference.split(';').next()?.split_once('=')?;
        let seconds = value.trim().trim_matches('"').parse().ok()?;
        name.trim().eq_ignore_ascii_case("wait").then(|| Duration::from_secs(seconds))
    });
    // The first counts, as the RFC has it.
    waits.next()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn preferred_by(values: &[&str]) -> Option<u64> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append("prefer", value.parse().unwrap());
        }
        preferred(&headers).map(|wait| wait.as_secs())
    }

    #[test]
    fn the_wait_that_a_client_prefers_is_read_as_rfc_7240_writes_it() {
        assert_eq!(preferred_by(&["wait=10"]), Some(10));
        assert_eq!(preferred_by(&["respond-async, Wait = \"7\"; x=1"]), Some(7));
        assert_eq!(preferred_by(&["wait=3, wait=9"]), Some(3));
        assert_eq!(preferred_by(&["return=minimal", "wait=4"]), Some(4));
        for none in ["wait", "wait=", "wait=-1", "wait=ten", "await=3"] {
            assert_eq!(preferred_by(&[none]), None, "{none}");
        }
    }
}
