//! Batches as documents: JSON or msgpack made of the packed bytes, without an object a message.
//!
//! A message is one object, in a [`Format`] that says nothing else:
//!
//! ```json
//! { "topic": "t", "partition": 0, "offset": "7", "timestamp": "1700000000000", "key": "k", "value": "v", "headers": { "a": "1", "b": ["2", null] } }
//! ```
//!
//! Offset and timestamp are text in JSON, because they can be more than a double holds ([`Format::numbers`]), and integers in msgpack.
//! Null is null. A header that is repeated is an array, in order. Data that is not as its [`Encoding`] wants it, bytes that are no UTF-8 or no
//! JSON, does not break the document: see [`Invalid`].

mod json;
mod msgpack;

use std::ops::Range;
use std::str::FromStr;

use crate::batch::{Batch, Fields, Header, View};
use crate::error::{Error, Result};
use crate::packed::header_block;
use crate::rule::Rule;

/// The document's form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// One array.
    Json,
    /// One JSON object a line, each with a line break behind it.
    Ndjson,
    /// One array of maps.
    Msgpack,
}

impl FromStr for Codec {
    type Err = Error;

    /// `json`, `ndjson` or `msgpack`.
    fn from_str(name: &str) -> Result<Self> {
        match name {
            "json" => Ok(Self::Json),
            "ndjson" => Ok(Self::Ndjson),
            "msgpack" => Ok(Self::Msgpack),
            _ => Err(Error::config(format!("'{name}' is no format: there are 'json', 'ndjson' and 'msgpack'"))),
        }
    }
}

/// How bytes become a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// A string of what is UTF-8.
    Text,
    /// A string in base64, with padding.
    Base64,
    /// The JSON that they are, as it stands; line breaks in it become spaces. Not in msgpack.
    Json,
    /// The bytes that they are (bin). Not in JSON.
    Binary,
}

impl FromStr for Encoding {
    type Err = Error;

    /// `text`, `base64`, `json` or `binary`.
    fn from_str(name: &str) -> Result<Self> {
        match name {
            "text" => Ok(Self::Text),
            "base64" => Ok(Self::Base64),
            "json" => Ok(Self::Json),
            "binary" => Ok(Self::Binary),
            _ => {
                Err(Error::config(format!("'{name}' is no encoding: there are 'text', 'base64', 'json' and 'binary'")))
            }
        }
    }
}

/// The treatment of bytes that are not as their [`Encoding`] wants them. Each counts as an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Invalid {
    /// They stay what they are. In JSON `keyBase64`, `valueBase64` or `headersBase64` has them, in place of `key`, `value` or the one in
    /// `headers`; all values of a header's name, if one is invalid. In msgpack they are a bin.
    #[default]
    Base64,
    /// They are null.
    Null,
    /// Bytes that are no UTF-8 have U+FFFD in their place; what is no JSON is null.
    Replace,
}

impl FromStr for Invalid {
    type Err = Error;

    /// `base64`, `null` or `replace`.
    fn from_str(name: &str) -> Result<Self> {
        match name {
            "base64" => Ok(Self::Base64),
            "null" => Ok(Self::Null),
            "replace" => Ok(Self::Replace),
            _ => Err(Error::config(format!(
                "'{name}' is nothing that invalid bytes become: 'base64', 'null', 'replace'"
            ))),
        }
    }
}

/// A part of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// The topic's name.
    Topic,
    /// The partition's number.
    Partition,
    /// The offset.
    Offset,
    /// Milliseconds since 1970; -1 = none.
    Timestamp,
    /// The key.
    Key(Encoding),
    /// The value.
    Value(Encoding),
    /// The headers; how their values are encoded.
    Headers(Encoding),
}

/// A field under its name, as the codec writes it.
#[derive(Debug, Clone)]
struct Named {
    field: Field,
    name: Short,
    /// Of what is invalid; JSON only.
    base64: Short,
}

/// Bytes that are mostly few: these are copied with those behind them, as a copy of a fixed length takes a third of the time.
#[derive(Debug, Clone)]
struct Short {
    bytes: Vec<u8>,
    padded: [u8; AT_ONCE],
}

const AT_ONCE: usize = 16;

impl From<Vec<u8>> for Short {
    fn from(bytes: Vec<u8>) -> Self {
        let mut padded = [0; AT_ONCE];
        let few = bytes.len().min(AT_ONCE);
        padded[..few].copy_from_slice(&bytes[..few]);
        Self { bytes, padded }
    }
}

/// A document's format: what it has of each message; made once for many batches.
///
/// ```
/// use kafka_native::encode::{Codec, Encoding, Field, Format};
///
/// let format = Format::new(Codec::Json).fields([(Field::Value(Encoding::Text), "message"), (Field::Offset, "offset")])?.numbers(true);
/// // [{"message":"...","offset":7}]
/// # Ok::<(), kafka_native::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Format {
    codec: Codec,
    fields: Vec<Named>,
    numbers: bool,
    sparse: bool,
    invalid: Invalid,
    only: Option<Rule>,
}

impl Format {
    /// Every field under its own name; keys, values and headers are text in JSON, and bytes in msgpack.
    pub fn new(codec: Codec) -> Self {
        let encoding = if codec == Codec::Msgpack { Encoding::Binary } else { Encoding::Text };
        let fields = [
            (Field::Topic, "topic"),
            (Field::Partition, "partition"),
            (Field::Offset, "offset"),
            (Field::Timestamp, "timestamp"),
            (Field::Key(encoding), "key"),
            (Field::Value(encoding), "value"),
            (Field::Headers(encoding), "headers"),
        ];
        let empty =
            Self { codec, fields: Vec::new(), numbers: false, sparse: false, invalid: Invalid::default(), only: None };
        empty.fields(fields).expect("each codec has its own encoding")
    }

    /// These fields under these names, in this order.
    ///
    /// # Errors
    /// An encoding that the codec does not have.
    pub fn fields<N: AsRef<str>>(mut self, fields: impl IntoIterator<Item = (Field, N)>) -> Result<Self> {
        let msgpack = self.codec == Codec::Msgpack;
        let named = fields.into_iter().map(|(field, name)| {
            let name = name.as_ref();
            match field {
                Field::Key(Encoding::Json) | Field::Value(Encoding::Json) | Field::Headers(Encoding::Json)
                    if msgpack =>
                {
                    Err(Error::config("msgpack has no 'json': there are 'text', 'binary' and 'base64'"))
                }
                Field::Key(Encoding::Binary) | Field::Value(Encoding::Binary) | Field::Headers(Encoding::Binary)
                    if !msgpack =>
                {
                    Err(Error::config("JSON has no 'binary': there are 'text', 'json' and 'base64'"))
                }
                _ if msgpack => Ok(Named { field, name: msgpack::name(name).into(), base64: Vec::new().into() }),
                _ => Ok(Named {
                    field,
                    name: json::name(name).into(),
                    base64: json::name(&format!("{name}Base64")).into(),
                }),
            }
        });
        self.fields = named.collect::<Result<_>>()?;
        Ok(self)
    }

    /// Whether offset and timestamp are numbers in JSON, too; not unless said.
    pub fn numbers(mut self, numbers: bool) -> Self {
        self.numbers = numbers;
        self
    }

    /// Whether a key that is null, and headers where there are none, are left out; not unless said.
    pub fn sparse(mut self, sparse: bool) -> Self {
        self.sparse = sparse;
        self
    }

    /// The treatment of what cannot be encoded.
    pub fn invalid(mut self, invalid: Invalid) -> Self {
        self.invalid = invalid;
        self
    }

    /// Only the messages that the rule wants.
    ///
    /// # Errors
    /// Rules that lie too deep in one another.
    pub fn only(mut self, rule: Rule) -> Result<Self> {
        rule.check()?;
        self.only = Some(rule);
        Ok(self)
    }
}

/// A batch as a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// UTF-8 or msgpack.
    pub bytes: Vec<u8>,
    /// How many messages are in it.
    pub count: usize,
    /// How many keys, values and header values (or names) were not as their encoding wants them.
    pub errors: usize,
}

impl Batch {
    /// The messages as a document.
    pub fn encode(&self, format: &Format) -> Encoded {
        let mut writer = Writer::new(format, b"", self.len(), self.packed.bytes.len());
        for message in self.messages() {
            writer.message((message.topic, message.partition), &message.fields());
        }
        writer.end(b"")
    }
}

/// Messages of one partition in packed batches ([`Batch::into_packed`]) as a document: of each batch those in the range. `before` and
/// `after` are written around it.
///
/// # Errors
/// A buffer that is no packed batch, or has no such messages.
pub fn encode_packed<'a>(
    parts: &[(&'a [u8], Range<usize>)],
    place: (&str, i32),
    format: &Format,
    (before, after): (&[u8], &[u8]),
) -> Result<Encoded> {
    let refused = || Error::config("the bytes are no packed batch, or have no such messages");
    let viewed = |bytes: &'a [u8], range: &Range<usize>| {
        View::of(bytes).filter(|view| range.end <= view.count).ok_or_else(refused)
    };
    let views = parts.iter().map(|(bytes, range)| Ok((viewed(bytes, range)?, range.clone())));
    let views = views.collect::<Result<Vec<_>>>()?;
    let (count, data) = views.iter().fold((0, after.len()), |(count, data), (view, range)| {
        (count + range.len(), data + view.data_share(range.clone()))
    });
    let mut writer = Writer::new(format, before, count, data);
    for (view, range) in views {
        for i in range {
            writer.message(place, &view.fields(i).ok_or_else(refused)?);
        }
    }
    Ok(writer.end(after))
}

/// Bytes of the numbers of a message, and what stands around them.
const FRAME: usize = 48;
/// So much memory is taken at first when a rule may leave out everything.
const LITTLE: usize = 4096;

/// A document that is being written.
struct Writer<'f, 'a> {
    out: Vec<u8>,
    format: &'f Format,
    count: usize,
    errors: usize,
    /// Where the array begins.
    start: usize,
    /// The headers of one message; the memory is used again.
    headers: Vec<Header<'a>>,
}

impl<'f, 'a> Writer<'f, 'a> {
    /// @param count how many messages come at most
    fn new(format: &'f Format, before: &[u8], count: usize, data: usize) -> Self {
        let names: usize = format.fields.iter().map(|named| named.name.bytes.len()).sum();
        let room = count * (FRAME + names) + data;
        let room = if format.only.is_some() { room.min(LITTLE) } else { room };
        let mut out = Vec::with_capacity(before.len() + room);
        out.extend_from_slice(before);
        let start = out.len();
        let mut writer = Self { out, format, count: 0, errors: 0, start, headers: Vec::new() };
        match format.codec {
            Codec::Json => writer.out.push(b'['),
            Codec::Ndjson => {}
            Codec::Msgpack => writer.begin_array(count),
        }
        writer
    }

    fn message(&mut self, place: (&str, i32), fields: &Fields<'a>) {
        let format = self.format;
        if let Some(rule) = &format.only {
            if !rule.wants(fields.key, || header_block(fields.headers)) {
                return;
            }
        }
        self.count += 1;
        match format.codec {
            Codec::Json => self.object(place, fields, b"},"),
            Codec::Ndjson => self.object(place, fields, b"}\n"),
            Codec::Msgpack => self.map(place, fields),
        }
    }

    fn end(mut self, after: &[u8]) -> Encoded {
        match self.format.codec {
            Codec::Json => {
                if self.count > 0 {
                    self.out.pop(); // the comma
                }
                self.out.push(b']');
            }
            Codec::Ndjson => {}
            Codec::Msgpack => self.end_array(),
        }
        self.out.extend_from_slice(after);
        // The receiver may keep it for long: what it does not need is given back.
        if self.out.capacity() - self.out.len() > self.out.len() / 8 {
            self.out.shrink_to_fit();
        }
        Encoded { bytes: self.out, count: self.count, errors: self.errors }
    }

    /// Reads the headers of a message, those of a name beside each other and in order; gives them back to `headers` afterwards.
    fn take_headers(&mut self, block: &'a [u8]) -> Vec<Header<'a>> {
        let mut headers = std::mem::take(&mut self.headers);
        headers.clear();
        headers.extend(header_block(block));
        if headers.len() > 1 {
            headers.sort_by_key(|(name, _)| *name);
        }
        headers
    }

    fn base64(&mut self, bytes: &[u8]) {
        use base64::engine::general_purpose::STANDARD;
        use base64::Engine;
        let start = self.out.len();
        self.out.resize(start + base64_len(bytes), 0);
        STANDARD.encode_slice(bytes, &mut self.out[start..]).expect("four bytes for each three");
    }

    fn raw(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    fn short(&mut self, short: &Short) {
        let end = self.out.len() + short.bytes.len();
        if short.bytes.len() <= AT_ONCE {
            self.out.extend_from_slice(&short.padded);
            self.out.truncate(end);
        } else {
            self.raw(&short.bytes);
        }
    }
}

/// The headers, those of each name together.
fn by_name<'h, 'a>(headers: &'h [Header<'a>]) -> impl Iterator<Item = &'h [Header<'a>]> {
    headers.chunk_by(|(a, _), (b, _)| a == b)
}

fn base64_len(bytes: &[u8]) -> usize {
    bytes.len().div_ceil(3) * 4
}

#[cfg(test)]
mod tests;
