//! Reading a secret: whole from a file or pipe, or typed without being shown.

use std::io::{self, Write as _};
use std::os::fd::{AsFd, BorrowedFd};

use rustix::io::Errno;
use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use crate::failure::{Failure, Outcome};

/// Longest secret, in bytes; the control plane keeps no longer one.
const LONGEST: usize = 64 * 1024;
/// A line end may come on top.
const LINE_END: usize = 2;

/// All of what can be read.
///
/// # Errors
/// When it cannot be read, or is longer than a secret may be.
pub(crate) fn whole(from: &impl AsFd, what: &str) -> Outcome<Zeroizing<Vec<u8>>> {
    // Read past the buffers of the standard library, which nobody overwrites.
    let mut buffer = Zeroizing::new(vec![0; LONGEST + LINE_END + 1]);
    let mut length = 0;
    loop {
        match rustix::io::read(from, &mut buffer[length..]) {
            Ok(0) => break,
            Ok(more) => length += more,
            Err(Errno::INTR) => {}
            Err(error) => {
                return Err(Failure::new(format!("The value cannot be read from {what}."))
                    .why(io::Error::from(error))
                    .next("Name a file that holds it, or pipe it in."));
            }
        }
        if length > LONGEST + LINE_END {
            return Err(Failure::new(format!("The value in {what} is too long."))
                .why(format!("a secret has at most {LONGEST} bytes"))
                .next("Give the secret alone, not a file that holds more."));
        }
    }
    buffer.truncate(length);
    Ok(buffer)
}

/// Asks for a value at a terminal and shows nothing of it.
///
/// # Errors
/// When the terminal refuses, or the user breaks it off.
pub(crate) fn asked(name: &str, terminal: &impl AsFd) -> Outcome<Zeroizing<Vec<u8>>> {
    let terminal = terminal.as_fd();
    let failed = |error: io::Error| {
        Failure::new("The terminal cannot be asked for the value.")
            .why(error)
            .next("Pipe the value in, or use --from-file.")
    };
    let quiet = Quiet::over(terminal).map_err(|error| failed(error.into()))?;
    say(&format!("Value of {name} (not shown): ")).map_err(failed)?;
    let mut typed = Typed { value: Zeroizing::new(Vec::with_capacity(LONGEST)), end: None };
    let mut byte = Zeroizing::new([0]);
    while typed.end.is_none() {
        match rustix::io::read(terminal, byte.as_mut_slice()) {
            Ok(0) => typed.end = Some(End::Done),
            Ok(_) => typed.take(byte[0]),
            Err(Errno::INTR) => {}
            Err(error) => return Err(failed(error.into())),
        }
    }
    drop(quiet);
    say("\n").map_err(failed)?;
    match typed.end {
        Some(End::TooLong) => Err(Failure::new("The value is too long.")
            .why(format!("a secret has at most {LONGEST} bytes"))
            .next("Use --from-file for files.")),
        Some(End::BrokenOff) => {
            Err(Failure::new(format!("The secret {name} is not kept.")).why("it was broken off"))
        }
        _ => Ok(typed.value),
    }
}

fn say(text: &str) -> io::Result<()> {
    let mut out = io::stderr().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Why typing ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Done,
    BrokenOff,
    TooLong,
}

/// What was typed so far. The terminal does no editing of its own, for its lines end at 4,095 bytes.
struct Typed {
    value: Zeroizing<Vec<u8>>,
    end: Option<End>,
}

impl Typed {
    fn take(&mut self, byte: u8) {
        const INTERRUPT: u8 = 0x03;
        const END_OF_INPUT: u8 = 0x04;
        const BACKSPACE: u8 = 0x08;
        const KILL_LINE: u8 = 0x15;
        const QUIT: u8 = 0x1c;
        const DELETE: u8 = 0x7f;
        match byte {
            b'\n' | b'\r' | END_OF_INPUT => self.end = Some(End::Done),
            INTERRUPT | QUIT => self.end = Some(End::BrokenOff),
            BACKSPACE | DELETE => {
                // A whole character: the bytes that only continue one go with it.
                while self.value.pop().is_some_and(|gone| gone & 0xc0 == 0x80) {}
            }
            KILL_LINE => self.value.clear(),
            // Never more than was made room for: the old place of a grown buffer is not overwritten.
            _ if self.value.len() == LONGEST => self.end = Some(End::TooLong),
            _ => self.value.push(byte),
        }
    }
}

/// A terminal that shows nothing and hands over each key, until dropped.
struct Quiet<'t> {
    terminal: BorrowedFd<'t>,
    before: Termios,
}

impl<'t> Quiet<'t> {
    fn over(terminal: BorrowedFd<'t>) -> rustix::io::Result<Self> {
        let before = tcgetattr(terminal)?;
        let mut quiet = before.clone();
        quiet
            .local_modes
            .remove(LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ICANON | LocalModes::ISIG);
        quiet.special_codes[SpecialCodeIndex::VMIN] = 1;
        quiet.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(terminal, OptionalActions::Flush, &quiet)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Quiet<'_> {
    fn drop(&mut self) {
        // Flushed: the further lines of a pasted text do not go to the shell. Nothing is left to do if it fails.
        let _ = tcsetattr(self.terminal, OptionalActions::Flush, &self.before);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Seek as _;

    use super::*;

    fn typed(keys: &[u8]) -> (Vec<u8>, Option<End>) {
        let mut typed = Typed { value: Zeroizing::default(), end: None };
        for key in keys {
            if typed.end.is_none() {
                typed.take(*key);
            }
        }
        (typed.value.to_vec(), typed.end)
    }

    #[test]
    fn keys_edit_end_and_break_off() {
        for (keys, value, end) in [
            ("abc\n", "abc", Some(End::Done)),
            ("abc\rdef", "abc", Some(End::Done)),
            ("ab\u{4}", "ab", Some(End::Done)),
            ("ab\u{7f}c", "ac", None),
            ("é\u{7f}\u{7f}a", "a", None),
            ("ab\u{15}c", "c", None),
            ("ab\u{3}c", "ab", Some(End::BrokenOff)),
        ] {
            assert_eq!(typed(keys.as_bytes()), (value.as_bytes().to_vec(), end), "{keys:?}");
        }
        assert_eq!(typed(&vec![b'x'; LONGEST + 1]).1, Some(End::TooLong));
    }

    #[test]
    fn what_is_too_long_is_refused_and_what_just_fits_is_read() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&vec![b'x'; LONGEST + LINE_END]).unwrap();
        file.rewind().unwrap();
        assert_eq!(whole(&file, "it").unwrap().len(), LONGEST + LINE_END);
        file.write_all(b"x").unwrap();
        file.rewind().unwrap();
        assert!(whole(&file, "it").unwrap_err().to_string().contains("too long"));
    }
}
