//! JSON: what needs no escapes is copied as it stands.

use std::borrow::Cow;

use serde::de::IgnoredAny;

use super::{by_name, Encoding, Field, Invalid, Named, Writer};
use crate::batch::{Fields, Header};

/// The name of a member with what stands around it, as if another were before it.
pub(super) fn name(name: &str) -> Vec<u8> {
    let mut out = vec![b','];
    serde_json::to_writer(&mut out, name).expect("a vector takes everything");
    out.push(b':');
    out
}

impl<'a> Writer<'_, 'a> {
    /// A message as an object with `end` behind it.
    pub(super) fn object(&mut self, (topic, partition): (&str, i32), fields: &Fields<'a>, end: &[u8]) {
        let start = self.out.len();
        let format = self.format;
        for named in &format.fields {
            match named.field {
                Field::Topic => {
                    self.short(&named.name);
                    self.text(topic.as_bytes());
                }
                Field::Partition => {
                    self.short(&named.name);
                    self.digits(partition.into());
                }
                Field::Offset => self.long(named, fields.offset),
                Field::Timestamp => self.long(named, fields.timestamp),
                Field::Key(_) if format.sparse && fields.key.is_none() => {}
                Field::Key(encoding) => self.member(named, encoding, fields.key),
                Field::Value(encoding) => self.member(named, encoding, fields.value),
                Field::Headers(encoding) => self.headers_member(named, encoding, fields.headers),
            }
        }
        // In place of the first comma.
        match self.out.get_mut(start) {
            Some(first) => *first = b'{',
            None => self.out.push(b'{'),
        }
        self.raw(end);
    }

    fn long(&mut self, named: &Named, number: i64) {
        self.short(&named.name);
        if self.format.numbers {
            self.digits(number);
        } else {
            self.out.push(b'"');
            self.digits(number);
            self.out.push(b'"');
        }
    }

    fn member(&mut self, named: &Named, encoding: Encoding, bytes: Option<&[u8]>) {
        let start = self.out.len();
        self.short(&named.name);
        if self.value(encoding, bytes) || self.replaced(encoding, bytes) {
            return;
        }
        self.out.truncate(start);
        self.short(&named.base64);
        self.value(Encoding::Base64, bytes);
    }

    /// Writes what stands in place of invalid bytes; false: they are to be written elsewhere.
    fn replaced(&mut self, encoding: Encoding, bytes: Option<&[u8]>) -> bool {
        match (self.format.invalid, encoding) {
            (Invalid::Base64, _) => return false,
            (Invalid::Replace, Encoding::Text) => self.lossy(bytes.unwrap_or_default()),
            _ => self.raw(b"null"),
        }
        true
    }

    fn headers_member(&mut self, named: &Named, encoding: Encoding, block: &'a [u8]) {
        let start = self.out.len();
        if block.is_empty() {
            if !self.format.sparse {
                self.short(&named.name);
                self.raw(b"{}");
            }
            return;
        }
        let headers = self.take_headers(block);
        self.short(&named.name);
        self.out.push(b'{');
        let mut begin = self.out.len();
        let mut invalid = Vec::new();
        for values in by_name(&headers) {
            let (end, errors) = (self.out.len(), self.errors);
            if !self.header(encoding, values, begin) {
                self.out.truncate(end);
                debug_assert!(self.errors > errors);
                invalid.push(values);
            }
        }
        if self.format.sparse && self.out.len() == begin {
            self.out.truncate(start);
        } else {
            self.out.push(b'}');
        }
        if !invalid.is_empty() {
            self.short(&named.base64);
            self.out.push(b'{');
            begin = self.out.len();
            let errors = self.errors;
            for values in invalid {
                self.header(Encoding::Base64, values, begin);
            }
            self.errors = errors; // counted before
            self.out.push(b'}');
        }
        self.headers = headers;
    }

    /// A header's name and values, as a member of the object whose members begin there. False: one is to be written elsewhere.
    fn header(&mut self, encoding: Encoding, values: &[Header<'_>], begin: usize) -> bool {
        if self.out.len() > begin {
            self.out.push(b',');
        }
        let name = String::from_utf8_lossy(values[0].0);
        self.errors += usize::from(matches!(name, Cow::Owned(_)));
        self.text(name.as_bytes());
        self.out.push(b':');
        let repeated = values.len() > 1;
        if repeated {
            self.out.push(b'[');
        }
        let mut valid = true;
        for (i, (_, value)) in values.iter().enumerate() {
            if i > 0 {
                self.out.push(b',');
            }
            valid &= self.value(encoding, *value) || self.replaced(encoding, *value);
        }
        if repeated {
            self.out.push(b']');
        }
        valid
    }

    /// False: it is not as the encoding wants it, which is counted, and nothing was written.
    fn value(&mut self, encoding: Encoding, bytes: Option<&[u8]>) -> bool {
        let Some(bytes) = bytes else {
            self.raw(b"null");
            return true;
        };
        let valid = match encoding {
            Encoding::Text => self.text(bytes),
            Encoding::Json => self.json(bytes),
            Encoding::Base64 | Encoding::Binary => {
                self.out.push(b'"');
                self.base64(bytes);
                self.out.push(b'"');
                true
            }
        };
        self.errors += usize::from(!valid);
        valid
    }

    fn json(&mut self, bytes: &[u8]) -> bool {
        let Ok(text) = std::str::from_utf8(bytes) else { return false };
        if serde_json::from_str::<IgnoredAny>(text).is_err() {
            return false;
        }
        let start = self.out.len();
        self.raw(bytes);
        // In strings they are escaped: these are between tokens.
        for byte in &mut self.out[start..] {
            *byte = if matches!(*byte, b'\n' | b'\r') { b' ' } else { *byte };
        }
        true
    }

    /// False: it is no UTF-8, and nothing was written.
    fn text(&mut self, bytes: &[u8]) -> bool {
        let found = Found::in_bytes(bytes);
        if !found.ascii && std::str::from_utf8(bytes).is_err() {
            return false;
        }
        self.out.push(b'"');
        if found.plain {
            self.raw(bytes);
        } else {
            self.escaped(bytes);
        }
        self.out.push(b'"');
        true
    }

    fn lossy(&mut self, bytes: &[u8]) {
        self.out.push(b'"');
        for chunk in bytes.utf8_chunks() {
            self.escaped(chunk.valid().as_bytes());
            if !chunk.invalid().is_empty() {
                self.raw("\u{fffd}".as_bytes());
            }
        }
        self.out.push(b'"');
    }

    fn escaped(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let at = special(bytes);
            self.raw(&bytes[..at]);
            let Some(byte) = bytes.get(at) else { return };
            bytes = &bytes[at + 1..];
            let short = match byte {
                b'"' => b'"',
                b'\\' => b'\\',
                b'\n' => b'n',
                b'\r' => b'r',
                b'\t' => b't',
                0x08 => b'b',
                0x0c => b'f',
                _ => {
                    let hex = |digit: u8| b"0123456789abcdef"[usize::from(digit)];
                    self.raw(&[b'\\', b'u', b'0', b'0', hex(byte >> 4), hex(byte & 15)]);
                    continue;
                }
            };
            self.raw(&[b'\\', short]);
        }
    }

    fn digits(&mut self, number: i64) {
        if number < 0 {
            self.out.push(b'-');
        }
        let mut rest = number.unsigned_abs();
        let start = self.out.len();
        let count = rest.checked_ilog10().unwrap_or(0) as usize + 1;
        self.out.extend_from_slice(&[0; MOST_DIGITS]);
        self.out.truncate(start + count);
        let (odd, pairs) = self.out[start..].as_rchunks_mut();
        for pair in pairs.iter_mut().rev() {
            *pair = TWO_DIGITS[(rest % 100) as usize];
            rest /= 100;
        }
        if let [digit] = odd {
            *digit = b'0' + rest as u8;
        }
    }
}

/// Of 2^63.
const MOST_DIGITS: usize = 19;
const TWO_DIGITS: [[u8; 2]; 100] = {
    let mut all = [[0; 2]; 100];
    let mut i = 0;
    while i < 100 {
        all[i as usize] = [b'0' + i / 10, b'0' + i % 10];
        i += 1;
    }
    all
};

/// Properties of bytes, found without a branch a byte.
struct Found {
    ascii: bool,
    /// Nothing needs an escape.
    plain: bool,
}

impl Found {
    fn in_bytes(bytes: &[u8]) -> Self {
        let (mut high, mut escapes) = (0, 0);
        for word in bytes.as_chunks().0 {
            let word = u64::from_le_bytes(*word);
            high |= word;
            escapes |= specials(word);
        }
        // Of the last ones some are looked at twice: that costs less than one by one.
        let last = bytes.last_chunk().copied().unwrap_or_else(|| {
            let mut few = [b' '; WORD];
            few[..bytes.len()].copy_from_slice(bytes);
            few
        });
        let last = u64::from_le_bytes(last);
        high |= last;
        escapes |= specials(last);
        Self { ascii: high & each(0x80) == 0, plain: escapes == 0 }
    }
}

const WORD: usize = 8;

/// The byte in each of a word's places.
const fn each(byte: u8) -> u64 {
    u64::from_le_bytes([byte; WORD])
}

/// Not zero when one of the bytes needs an escape; the lowest bit that is set is the first one's.
fn specials(word: u64) -> u64 {
    let below = |word: u64, limit: u8| word.wrapping_sub(each(limit)) & !word;
    (below(word, 0x20) | below(word ^ each(b'"'), 1) | below(word ^ each(b'\\'), 1)) & each(0x80)
}

/// Where the first byte is that needs an escape; the length if there is none.
fn special(bytes: &[u8]) -> usize {
    let (words, rest) = bytes.as_chunks::<WORD>();
    let found = words.iter().map(|word| specials(u64::from_le_bytes(*word))).enumerate().find(|(_, found)| *found != 0);
    if let Some((word, found)) = found {
        return word * WORD + found.trailing_zeros() as usize / 8;
    }
    let special = |byte: &u8| *byte < 0x20 || matches!(byte, b'"' | b'\\');
    rest.iter().position(special).map_or(bytes.len(), |at| words.len() * WORD + at)
}
