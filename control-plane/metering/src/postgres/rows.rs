//! Rows as `COPY ... FROM STDIN (FORMAT binary)` reads them (PostgreSQL's manual, COPY, "Binary Format").

/// The signature, no flags, no extension.
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// In place of a row's number of fields: there are no more rows.
const END: i16 = -1;
/// In place of a field's length: it is null.
const NULL: i32 = -1;

/// Rows of one table. Who writes them writes as many fields as each row was opened with.
pub(super) struct Rows {
    bytes: Vec<u8>,
    count: u64,
}

impl Rows {
    /// None yet; `room` bytes are expected.
    pub(super) fn new(room: usize) -> Self {
        let mut bytes = Vec::with_capacity(HEADER.len() + room);
        bytes.extend_from_slice(HEADER);
        Self { bytes, count: 0 }
    }

    /// How many rows were opened.
    pub(super) const fn count(&self) -> u64 {
        self.count
    }

    /// Opens a row.
    pub(super) fn row(&mut self, fields: i16) -> &mut Self {
        self.count += 1;
        self.bytes.extend_from_slice(&fields.to_be_bytes());
        self
    }

    /// A text, or a `bytea`.
    pub(super) fn bytes(&mut self, value: &[u8]) -> &mut Self {
        self.length(value.len());
        self.bytes.extend_from_slice(value);
        self
    }

    /// A text.
    pub(super) fn text(&mut self, value: &str) -> &mut Self {
        self.bytes(value.as_bytes())
    }

    /// A bigint.
    pub(super) fn bigint(&mut self, value: i64) -> &mut Self {
        self.bytes(&value.to_be_bytes())
    }

    /// Null, of any type.
    pub(super) fn null(&mut self) -> &mut Self {
        self.bytes.extend_from_slice(&NULL.to_be_bytes());
        self
    }

    /// A text that `write` writes.
    pub(super) fn sized(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> &mut Self {
        let start = self.bytes.len();
        self.length(0);
        write(&mut self.bytes);
        let length = field_length(self.bytes.len() - start - 4);
        self.bytes[start..start + 4].copy_from_slice(&length);
        self
    }

    /// Bytes written and not yet taken.
    pub(super) const fn len(&self) -> usize {
        self.bytes.len()
    }

    /// What was written so far, to be sent on its way; between rows only.
    pub(super) fn take(&mut self) -> Vec<u8> {
        let room = self.bytes.capacity();
        std::mem::replace(&mut self.bytes, Vec::with_capacity(room))
    }

    /// The rest of them, closed.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.bytes.extend_from_slice(&END.to_be_bytes());
        self.bytes
    }

    fn length(&mut self, length: usize) {
        self.bytes.extend_from_slice(&field_length(length));
    }
}

/// Lengths are bounded by what an event may hold, far below what the format can say; beyond, the server refuses the row.
fn field_length(length: usize) -> [u8; 4] {
    i32::try_from(length).unwrap_or(i32::MAX).to_be_bytes()
}
