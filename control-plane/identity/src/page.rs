//! How lists are cut into pages.

use prost::Message;

use crate::IdentityError;

/// Entries of a page when the caller does not say.
pub const DEFAULT_PAGE: u32 = 100;
/// Most entries of a page.
pub const MAX_PAGE: u32 = 1000;

/// Most bytes of a page's entries: with their envelope they stay below the 4 MiB of a message.
pub const MAX_PAGE_BYTES: usize = 3_500_000;

/// Entries to read for a page size as asked.
///
/// # Errors
/// [`IdentityError::Invalid`] above [`MAX_PAGE`].
pub fn page_limit(asked: u32) -> Result<u32, IdentityError> {
    match asked {
        0 => Ok(DEFAULT_PAGE),
        1..=MAX_PAGE => Ok(asked),
        _ => Err(IdentityError::invalid(
            "page_size",
            format!("ask for 1 to {MAX_PAGE}, or 0 for {DEFAULT_PAGE}"),
        )),
    }
}

/// Cuts what was read to one message's size, and gives the next page's token: the last key of a page after which
/// there may be more, empty after the last page.
#[must_use]
pub fn page_of<M: Message>(mut entries: Vec<M>, limit: u32, key: impl Fn(&M) -> String) -> (Vec<M>, String) {
    let read = entries.len();
    let mut bytes = 0;
    let fitting = entries.iter().take_while(|entry| {
        bytes += entry.encoded_len();
        bytes <= MAX_PAGE_BYTES
    });
    // One entry always goes out, or the list would never end.
    let kept = fitting.count().max(1).min(read);
    entries.truncate(kept);
    let more = kept < read || u32::try_from(read).is_ok_and(|read| read >= limit);
    let token = entries.last().filter(|_| more).map(key).unwrap_or_default();
    (entries, token)
}

#[cfg(test)]
mod tests {
    use creto_proto::v1::Agent;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn pages_join_to_the_whole_list_and_fit_a_message(
            sizes in prop::collection::vec(0_usize..2_000_000, 0..12),
            limit in 1_u32..6,
        ) {
            let all: Vec<Agent> = sizes
                .iter()
                .enumerate()
                .map(|(at, size)| Agent { name: at.to_string(), public_key: vec![0; *size], ..Agent::default() })
                .collect();
            let (mut seen, mut from) = (0, 0);
            loop {
                let read: Vec<Agent> = all.iter().skip(from).take(limit as usize).cloned().collect();
                let (page, token) = page_of(read, limit, |agent| agent.name.clone());
                prop_assert!(page.len() <= 1 || page.iter().map(Message::encoded_len).sum::<usize>() <= MAX_PAGE_BYTES);
                seen += page.len();
                if token.is_empty() {
                    break;
                }
                from = token.parse::<usize>().unwrap() + 1;
            }
            prop_assert_eq!(seen, all.len());
        }
    }
}
