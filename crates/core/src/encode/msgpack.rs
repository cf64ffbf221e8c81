//! msgpack: <https://github.com/msgpack/msgpack/blob/master/spec.md>. Everything has the shortest form, but the length of the array: it
//! has the form of the most messages that could come.

use std::borrow::Cow;

use super::{base64_len, by_name, Encoding, Field, Invalid, Writer};
use crate::batch::Fields;

const NIL: u8 = 0xc0;
const FIXMAP: u8 = 0x80;
const FIXARRAY: u8 = 0x90;
const FIXSTR: u8 = 0xa0;
const BIN: [u8; 3] = [0xc4, 0xc5, 0xc6];
const STR: [u8; 3] = [0xd9, 0xda, 0xdb];
const UINT: [u8; 4] = [0xcc, 0xcd, 0xce, 0xcf];
const INT: [u8; 4] = [0xd0, 0xd1, 0xd2, 0xd3];
const ARRAY: [u8; 2] = [0xdc, 0xdd];
const MAP: [u8; 2] = [0xde, 0xdf];
/// More elements of an array or a map need two bytes for their count.
const FEW: usize = 15;

/// A name as a map has it.
pub(super) fn name(name: &str) -> Vec<u8> {
    let mut out = Vec::new();
    push_str(&mut out, name.len());
    out.extend_from_slice(name.as_bytes());
    out
}

impl<'a> Writer<'_, 'a> {
    /// Leaves room for a count of up to so many.
    pub(super) fn begin_array(&mut self, most: usize) {
        push_count(&mut self.out, FIXARRAY, ARRAY, most);
    }

    /// Says how many there are.
    pub(super) fn end_array(&mut self) {
        let [first, rest @ ..] = &mut self.out[self.start..] else { return };
        match *first {
            0xdc => rest[..2].copy_from_slice(&(self.count as u16).to_be_bytes()),
            0xdd => rest[..4].copy_from_slice(&(self.count as u32).to_be_bytes()),
            _ => *first = FIXARRAY | self.count as u8,
        }
    }

    /// A message as a map.
    pub(super) fn map(&mut self, (topic, partition): (&str, i32), fields: &Fields<'a>) {
        let start = self.out.len();
        let format = self.format;
        push_count(&mut self.out, FIXMAP, MAP, format.fields.len());
        let mut absent = 0;
        for named in &format.fields {
            match named.field {
                Field::Key(_) if format.sparse && fields.key.is_none() => {
                    absent += 1;
                    continue;
                }
                Field::Headers(_) if format.sparse && fields.headers.is_empty() => {
                    absent += 1;
                    continue;
                }
                _ => self.short(&named.name),
            }
            match named.field {
                Field::Topic => self.str(topic.as_bytes()),
                Field::Partition => self.int(partition.into()),
                Field::Offset => self.int(fields.offset),
                Field::Timestamp => self.int(fields.timestamp),
                Field::Key(encoding) => self.element(encoding, fields.key),
                Field::Value(encoding) => self.element(encoding, fields.value),
                Field::Headers(encoding) => self.headers_map(encoding, fields.headers),
            }
        }
        // A message has few fields: their count is in this byte.
        self.out[start] -= absent;
    }

    fn headers_map(&mut self, encoding: Encoding, block: &'a [u8]) {
        let headers = self.take_headers(block);
        push_count(&mut self.out, FIXMAP, MAP, by_name(&headers).count());
        for values in by_name(&headers) {
            let name = String::from_utf8_lossy(values[0].0);
            self.errors += usize::from(matches!(name, Cow::Owned(_)));
            self.str(name.as_bytes());
            if values.len() > 1 {
                push_count(&mut self.out, FIXARRAY, ARRAY, values.len());
            }
            for (_, value) in values {
                self.element(encoding, *value);
            }
        }
        self.headers = headers;
    }

    fn element(&mut self, encoding: Encoding, bytes: Option<&[u8]>) {
        let Some(bytes) = bytes else { return self.out.push(NIL) };
        match encoding {
            Encoding::Binary | Encoding::Json => self.bin(bytes),
            Encoding::Base64 => {
                push_str(&mut self.out, base64_len(bytes));
                self.base64(bytes);
            }
            Encoding::Text if bytes.is_ascii() || std::str::from_utf8(bytes).is_ok() => self.str(bytes),
            Encoding::Text => {
                self.errors += 1;
                match self.format.invalid {
                    Invalid::Base64 => self.bin(bytes),
                    Invalid::Null => self.out.push(NIL),
                    Invalid::Replace => self.str(String::from_utf8_lossy(bytes).as_bytes()),
                }
            }
        }
    }

    fn bin(&mut self, bytes: &[u8]) {
        push_length(&mut self.out, BIN, bytes.len());
        self.raw(bytes);
    }

    /// @param text UTF-8
    fn str(&mut self, text: &[u8]) {
        push_str(&mut self.out, text.len());
        self.raw(text);
    }

    fn int(&mut self, number: i64) {
        let out = &mut self.out;
        match number {
            0..=0x7f => out.push(number as u8),
            0x80..=0xff => out.extend_from_slice(&[UINT[0], number as u8]),
            0x100..=0xffff => push(out, UINT[1], (number as u16).to_be_bytes()),
            0x1_0000..=0xffff_ffff => push(out, UINT[2], (number as u32).to_be_bytes()),
            0x1_0000_0000.. => push(out, UINT[3], (number as u64).to_be_bytes()),
            -0x20..=-1 => out.push(number as u8),
            -0x80..=-0x21 => out.extend_from_slice(&[INT[0], number as u8]),
            -0x8000..=-0x81 => push(out, INT[1], (number as i16).to_be_bytes()),
            -0x8000_0000..=-0x8001 => push(out, INT[2], (number as i32).to_be_bytes()),
            _ => push(out, INT[3], number.to_be_bytes()),
        }
    }
}

fn push<const N: usize>(out: &mut Vec<u8>, kind: u8, rest: [u8; N]) {
    out.push(kind);
    out.extend_from_slice(&rest);
}

fn push_str(out: &mut Vec<u8>, length: usize) {
    if length < 32 {
        out.push(FIXSTR | length as u8);
    } else {
        push_length(out, STR, length);
    }
}

fn push_length(out: &mut Vec<u8>, kinds: [u8; 3], length: usize) {
    match length {
        0..=0xff => out.extend_from_slice(&[kinds[0], length as u8]),
        0x100..=0xffff => push(out, kinds[1], (length as u16).to_be_bytes()),
        // Kafka's lengths have 31 bits.
        _ => push(out, kinds[2], (length as u32).to_be_bytes()),
    }
}

fn push_count(out: &mut Vec<u8>, few: u8, kinds: [u8; 2], count: usize) {
    match count {
        0..=FEW => out.push(few | count as u8),
        16..=0xffff => push(out, kinds[0], (count as u16).to_be_bytes()),
        _ => push(out, kinds[1], (count as u32).to_be_bytes()),
    }
}
