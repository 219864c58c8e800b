//! Server-sent events (WHATWG HTML, section 9.2.6): the `data` of each, passed on as it stands in the stream.
//!
//! Read as generously as clients do and more: lines end in LF, CR or CRLF, an event may lack its blank line, at the
//! end of the stream or before the next `data`.

use memchr::memchr2;

/// Where in the stream the reader is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// In a byte order mark at the very start, so many bytes of it read.
    Mark(u8),
    /// In the name of a field; so many bytes of it are those of `data`.
    Name(u8),
    /// Behind `data:`, where one space is dropped.
    Space,
    /// In the value of `data`.
    Data,
    /// In a line that does not matter.
    Skip,
}

/// Who takes the data.
pub(crate) trait Events {
    /// A line of data begins.
    fn line(&mut self);
    /// Some of it.
    fn data(&mut self, bytes: &[u8]);
    /// The event is over.
    fn dispatch(&mut self);
}

const MARK: &[u8] = b"\xef\xbb\xbf";
const DATA: &[u8] = b"data";

/// The reader. See the module.
#[derive(Debug, Clone)]
pub(crate) struct Sse {
    state: State,
    /// The last byte was a CR: a LF that follows belongs to it.
    after_cr: bool,
}

impl Sse {
    pub(crate) const fn new() -> Self {
        Self { state: State::Mark(0), after_cr: false }
    }

    /// Reads on.
    pub(crate) fn push<E: Events>(&mut self, bytes: &[u8], events: &mut E) {
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            if self.after_cr {
                self.after_cr = false;
                if byte == b'\n' {
                    at += 1;
                    continue;
                }
            }
            match self.state {
                State::Mark(read) => {
                    if MARK.get(usize::from(read)) == Some(&byte) {
                        at += 1;
                        self.state = if read == 2 { State::Name(0) } else { State::Mark(read + 1) };
                    } else {
                        // A mark cut short is a field of an unknown name.
                        self.state = if read == 0 { State::Name(0) } else { State::Skip };
                    }
                }
                State::Name(read) => {
                    let rest = bytes.get(at..).unwrap_or_default();
                    // Nearly every line that matters.
                    if read == 0 && rest.starts_with(b"data: ") {
                        at += 6;
                        self.state = State::Data;
                        events.line();
                        continue;
                    }
                    match byte {
                        b'\n' | b'\r' => {
                            at += 1;
                            self.after_cr = byte == b'\r';
                            match usize::from(read) {
                                0 => events.dispatch(),
                                // `data` alone is data without a byte.
                                len if len == DATA.len() => events.line(),
                                _ => {}
                            }
                            self.state = State::Name(0);
                        }
                        b':' if usize::from(read) == DATA.len() => {
                            at += 1;
                            self.state = State::Space;
                            events.line();
                        }
                        _ if DATA.get(usize::from(read)) == Some(&byte) => {
                            at += 1;
                            self.state = State::Name(read + 1);
                        }
                        _ => self.state = State::Skip,
                    }
                }
                State::Space => {
                    at += usize::from(byte == b' ');
                    self.state = State::Data;
                }
                State::Data | State::Skip => {
                    let rest = bytes.get(at..).unwrap_or_default();
                    let end = memchr2(b'\n', b'\r', rest);
                    if self.state == State::Data {
                        let line = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
                        if !line.is_empty() {
                            events.data(line);
                        }
                    }
                    let Some(end) = end else { return };
                    self.after_cr = rest.get(end) == Some(&b'\r');
                    self.state = State::Name(0);
                    at += end + 1;
                }
            }
        }
    }
}
