//! Helvetica, which every reader has: how wide its letters are, and how texts become its bytes.
//!
//! Widths are those of Adobe's metrics of the base 14 fonts, in thousandths of the size. Bytes are WinAnsi (PDF 32000-1,
//! annex D.2): Latin letters with accents of western Europe, and the euro sign.

/// A face of the font.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Face {
    Regular,
    Bold,
}

/// Widths of the bytes 32 to 126.
const REGULAR: [u16; 95] = [
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556, 556, 556,
    556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556, 1015, 667, 667, 722, 722, 667, 611, 778, 722, 278,
    500, 667, 556, 833, 722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469,
    556, 333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556, 556, 556, 333, 500,
    278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584,
];
const BOLD: [u16; 95] = [
    278, 333, 474, 556, 556, 889, 722, 238, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556, 556, 556,
    556, 556, 556, 556, 556, 333, 333, 584, 584, 584, 611, 975, 722, 722, 722, 722, 667, 611, 778, 722, 278,
    556, 722, 611, 833, 722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 333, 278, 333, 584,
    556, 333, 556, 611, 556, 611, 556, 333, 611, 611, 278, 278, 556, 278, 889, 611, 611, 611, 611, 389, 556,
    333, 611, 556, 778, 556, 556, 500, 389, 280, 389, 584,
];

/// The bytes 128 to 159, where WinAnsi differs from Latin-1.
const HIGH: [(char, u8); 27] = [
    ('€', 0x80),
    ('‚', 0x82),
    ('ƒ', 0x83),
    ('„', 0x84),
    ('…', 0x85),
    ('†', 0x86),
    ('‡', 0x87),
    ('ˆ', 0x88),
    ('‰', 0x89),
    ('Š', 0x8a),
    ('‹', 0x8b),
    ('Œ', 0x8c),
    ('Ž', 0x8e),
    ('‘', 0x91),
    ('’', 0x92),
    ('“', 0x93),
    ('”', 0x94),
    ('•', 0x95),
    ('–', 0x96),
    ('—', 0x97),
    ('˜', 0x98),
    ('™', 0x99),
    ('š', 0x9a),
    ('›', 0x9b),
    ('œ', 0x9c),
    ('ž', 0x9e),
    ('Ÿ', 0x9f),
];

/// Letters the font lacks, by the letter printed in their place.
const PLAIN: [(&str, u8); 40] = [
    ("ĀĂĄ", b'A'),
    ("āăą", b'a'),
    ("ĆĈĊČ", b'C'),
    ("ćĉċč", b'c'),
    ("ĎĐ", b'D'),
    ("ďđ", b'd'),
    ("ĒĔĖĘĚ", b'E'),
    ("ēĕėęě", b'e'),
    ("ĜĞĠĢ", b'G'),
    ("ĝğġģ", b'g'),
    ("ĤĦ", b'H'),
    ("ĥħ", b'h'),
    ("ĨĪĬĮİ", b'I'),
    ("ĩīĭįı", b'i'),
    ("Ĵ", b'J'),
    ("ĵ", b'j'),
    ("Ķ", b'K'),
    ("ķ", b'k'),
    ("ĹĻĽĿŁ", b'L'),
    ("ĺļľŀł", b'l'),
    ("ŃŅŇ", b'N'),
    ("ńņň", b'n'),
    ("ŌŎŐ", b'O'),
    ("ōŏő", b'o'),
    ("ŔŖŘ", b'R'),
    ("ŕŗř", b'r'),
    ("ŚŜŞȘ", b'S'),
    ("śŝşș", b's'),
    ("ŢŤŦȚ", b'T'),
    ("ţťŧț", b't'),
    ("ŨŪŬŮŰŲ", b'U'),
    ("ũūŭůűų", b'u'),
    ("Ŵ", b'W'),
    ("ŵ", b'w'),
    ("Ŷ", b'Y'),
    ("ŷ", b'y'),
    ("ŹŻ", b'Z'),
    ("źż", b'z'),
    ("\u{2009}\u{202f}\u{2007}", b' '),
    ("\u{2010}\u{2011}\u{2212}", b'-'),
];

/// The byte of a character. Letters the font lacks lose their accent; what has no likeness is a question mark. The signed
/// JSON holds every name as it was given.
fn byte(character: char) -> u8 {
    match character {
        ' '..='~' => character as u8,
        '\u{a0}'..='\u{ff}' => character as u32 as u8,
        _ => {
            let high = HIGH.iter().find(|(known, _)| *known == character).map(|(_, byte)| *byte);
            let plain = || PLAIN.iter().find(|(known, _)| known.contains(character)).map(|(_, byte)| *byte);
            high.or_else(plain).unwrap_or(b'?')
        }
    }
}

/// A text in bytes of the font.
pub(super) fn encoded(text: &str) -> Vec<u8> {
    text.chars().map(byte).collect()
}

/// How wide bytes are at a size in thousandths of a point, in thousandths of a point.
pub(super) fn width(bytes: &[u8], face: Face, size: i64) -> i64 {
    let table = if face == Face::Bold { &BOLD } else { &REGULAR };
    let of = |byte: u8| table.get(usize::from(byte).wrapping_sub(32)).copied();
    let sum: i64 = bytes.iter().map(|byte| i64::from(of(*byte).unwrap_or_else(|| high_width(*byte)))).sum();
    sum * size / 1_000
}

/// Near enough for letters with accents, which are as wide as those without; no number has any.
fn high_width(byte: u8) -> u16 {
    match byte {
        0x85 | 0x89 | 0x8c | 0x97 | 0x99 | 0x9c | 0xc6 | 0xe6 => 1_000,
        0xc0..=0xdf => 722,
        0x91 | 0x92 | 0x82 | 0xec..=0xef => 278,
        _ => 556,
    }
}
