//! Whether one pattern matches everything that another does.
//!
//! Both patterns are small automata. Walking the narrow one step by step, with the set of places where the wide one
//! may be, finds a text that only the narrow one matches, or shows that there is none.

use std::collections::HashSet;

use crate::glob::Token;

/// Most pairs of places looked at; beyond it the answer is no, which only ever refuses.
const MAX_STEPS: usize = 65_536;
/// Most places of a pattern.
const MAX_PLACES: usize = 64 * 5;

/// Where in the wide pattern one may be: one bit a place.
type Places = [u64; 5];

/// Whether `wide` matches every text that `narrow` matches.
pub(crate) fn covers(wide: &[Token], narrow: &[Token]) -> bool {
    if wide.len() >= MAX_PLACES || narrow.len() >= MAX_PLACES {
        return false;
    }
    let alphabet = alphabet(wide, narrow);
    let mut start = Places::default();
    add(&mut start, wide, 0);
    let mut seen = HashSet::new();
    let mut open = vec![(0_usize, start)];
    while let Some((at, places)) = open.pop() {
        if !seen.insert((at, places)) {
            continue;
        }
        if seen.len() > MAX_STEPS {
            return false;
        }
        let Some(token) = narrow.get(at) else {
            if !holds(&places, wide.len()) {
                return false;
            }
            continue;
        };
        match token {
            Token::Byte(byte) => open.push((at + 1, step(&places, wide, *byte))),
            Token::Within | Token::Across => {
                open.push((at + 1, places));
                for byte in &alphabet {
                    if *token == Token::Across || *byte != b'/' {
                        open.push((at, step(&places, wide, *byte)));
                    }
                }
            }
        }
    }
    true
}

/// The bytes that either pattern names, `/`, and one that neither does, which stands for all others.
fn alphabet(wide: &[Token], narrow: &[Token]) -> Vec<u8> {
    let mut named = [false; 256];
    named[usize::from(b'/')] = true;
    for token in wide.iter().chain(narrow) {
        if let Token::Byte(byte) = token {
            named[usize::from(*byte)] = true;
        }
    }
    let other = (0..=u8::MAX).find(|byte| !named[usize::from(*byte)]);
    (0..=u8::MAX).filter(|byte| named[usize::from(*byte)]).chain(other).collect()
}

fn step(places: &Places, pattern: &[Token], byte: u8) -> Places {
    let mut after = Places::default();
    for at in (0..pattern.len()).filter(|at| holds(places, *at)) {
        match pattern[at] {
            Token::Byte(wanted) if wanted == byte => add(&mut after, pattern, at + 1),
            Token::Within if byte != b'/' => add(&mut after, pattern, at),
            Token::Across => add(&mut after, pattern, at),
            Token::Byte(_) | Token::Within => {}
        }
    }
    after
}

/// Adds a place, and those reached from it over stars that stand for nothing.
fn add(places: &mut Places, pattern: &[Token], mut at: usize) {
    loop {
        places[at / 64] |= 1 << (at % 64);
        match pattern.get(at) {
            Some(Token::Within | Token::Across) => at += 1,
            _ => return,
        }
    }
}

fn holds(places: &Places, at: usize) -> bool {
    places[at / 64] & 1 << (at % 64) != 0
}
