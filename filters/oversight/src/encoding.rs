//! The one encoding of what is hashed or signed: fields in the order of their tags, each with its length.
//!
//! Two different contents never have the same bytes: every variable part is preceded by its length, lists by their count, and
//! what is absent is not written as an empty one.

/// Writes fields.
#[derive(Debug, Default)]
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    /// Begins with what the bytes are for, so that they fit nothing else.
    pub(crate) fn new(domain: &str) -> Self {
        let mut writer = Self::default();
        writer.bytes(0, domain.as_bytes());
        writer
    }

    pub(crate) fn bytes(&mut self, tag: u8, value: &[u8]) {
        self.0.push(tag);
        // Everything that comes here is bounded far below 2^32.
        self.0.extend_from_slice(&u32::try_from(value.len()).unwrap_or(u32::MAX).to_be_bytes());
        self.0.extend_from_slice(value);
    }

    pub(crate) fn text(&mut self, tag: u8, value: &str) {
        self.bytes(tag, value.as_bytes());
    }

    pub(crate) fn number(&mut self, tag: u8, value: u64) {
        self.bytes(tag, &value.to_be_bytes());
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// Reads what [`Writer`] wrote, and nothing else.
#[derive(Debug)]
pub(crate) struct Reader<'r>(&'r [u8]);

/// It is not what [`Writer`] writes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

impl<'r> Reader<'r> {
    pub(crate) fn new(bytes: &'r [u8], domain: &str) -> Result<Self, Malformed> {
        let mut reader = Self(bytes);
        if reader.bytes(0)? == domain.as_bytes() { Ok(reader) } else { Err(Malformed) }
    }

    /// Whether the next field has this tag.
    pub(crate) fn next_is(&self, tag: u8) -> bool {
        self.0.first() == Some(&tag)
    }

    pub(crate) fn bytes(&mut self, tag: u8) -> Result<&'r [u8], Malformed> {
        let (head, rest) = self.0.split_at_checked(5).ok_or(Malformed)?;
        let [found, length @ ..] = head else { return Err(Malformed) };
        let length: [u8; 4] = length.try_into().map_err(|_| Malformed)?;
        let length = usize::try_from(u32::from_be_bytes(length)).map_err(|_| Malformed)?;
        let (value, rest) = rest.split_at_checked(length).ok_or(Malformed)?;
        if *found != tag {
            return Err(Malformed);
        }
        self.0 = rest;
        Ok(value)
    }

    pub(crate) fn text(&mut self, tag: u8) -> Result<String, Malformed> {
        String::from_utf8(self.bytes(tag)?.to_vec()).map_err(|_| Malformed)
    }

    pub(crate) fn number(&mut self, tag: u8) -> Result<u64, Malformed> {
        self.array(tag).map(u64::from_be_bytes)
    }

    pub(crate) fn array<const N: usize>(&mut self, tag: u8) -> Result<[u8; N], Malformed> {
        self.bytes(tag)?.try_into().map_err(|_| Malformed)
    }

    /// Everything was read.
    pub(crate) fn end(self) -> Result<(), Malformed> {
        if self.0.is_empty() { Ok(()) } else { Err(Malformed) }
    }
}
