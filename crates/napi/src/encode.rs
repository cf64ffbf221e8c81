//! Batches as documents.

use kafka_native::encode::{self, Field};
use napi::bindgen_prelude::{Buffer, Uint8Array};
use napi_derive::napi;

use crate::group::RuleData;
use crate::{thrown, Thrown};

/// A field that a message has in the document.
#[napi(object, js_name = "NativeField")]
pub struct FieldData {
    #[napi(ts_type = "'topic' | 'partition' | 'offset' | 'timestamp' | 'key' | 'value' | 'headers'")]
    pub field: String,
    pub name: String,
    /// Of 'key', 'value' and 'headers': 'text', 'base64', 'json' or 'binary'.
    pub encoding: Option<String>,
}

/// A document's format: what it has of each message.
#[napi(object, js_name = "NativeFormatOptions")]
pub struct FormatOptions {
    /// 'json', 'ndjson' or 'msgpack'.
    pub codec: String,
    /// In order.
    pub fields: Vec<FieldData>,
    /// Whether offset and timestamp are numbers in JSON.
    pub numbers: bool,
    /// Whether a key that is null, and headers where there are none, are left out.
    pub sparse: bool,
    /// The treatment of what cannot be encoded: 'base64', 'null' or 'replace'.
    pub invalid: String,
    /// Which messages are in it.
    #[napi(ts_type = "NativeRule")]
    pub only: Option<RuleData>,
}

/// A batch as a document.
#[napi(object, js_name = "NativeEncoded")]
pub struct Encoded {
    pub bytes: Buffer,
    /// How many messages are in it.
    pub count: u32,
    /// How much was not as its encoding wants it.
    pub errors: u32,
}

/// How batches become documents.
#[napi(js_name = "NativeFormat")]
pub struct Format(encode::Format);

#[napi]
impl Format {
    #[napi(constructor)]
    pub fn new(options: FormatOptions) -> Result<Self, Thrown> {
        let FormatOptions { codec, fields, numbers, sparse, invalid, only } = options;
        let fields = fields.into_iter().map(field).collect::<Result<Vec<_>, _>>().map_err(thrown)?;
        let format = || {
            let format = encode::Format::new(codec.parse()?).fields(fields)?;
            let format = format.numbers(numbers).sparse(sparse).invalid(invalid.parse()?);
            match only {
                Some(rule) => format.only(rule.into()),
                None => Ok(format),
            }
        };
        format().map(Self).map_err(thrown)
    }

    /// Messages of one partition in packed batches: of batch i those from `begins[i]` to `ends[i]`. `before` and `after` stand around them.
    #[napi]
    pub fn encode(
        &self,
        packed: Vec<Uint8Array>,
        begins: Vec<u32>,
        ends: Vec<u32>,
        topic: String,
        partition: i32,
        before: Option<Uint8Array>,
        after: Option<Uint8Array>,
    ) -> Result<Encoded, Thrown> {
        let ranges = begins.into_iter().zip(ends).map(|(begin, end)| begin as usize..end as usize);
        let parts: Vec<_> = packed.iter().map(|bytes| &bytes[..]).zip(ranges).collect();
        let around = [&before, &after].map(|bytes| bytes.as_deref().unwrap_or_default());
        let encoded = encode::encode_packed(&parts, (&topic, partition), &self.0, around.into()).map_err(thrown)?;
        let counted = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        Ok(Encoded { count: counted(encoded.count), errors: counted(encoded.errors), bytes: encoded.bytes.into() })
    }
}

fn field(FieldData { field, name, encoding }: FieldData) -> kafka_native::Result<(Field, String)> {
    let encoding = encoding.unwrap_or_default();
    let field = match &*field {
        "topic" => Field::Topic,
        "partition" => Field::Partition,
        "timestamp" => Field::Timestamp,
        "key" => Field::Key(encoding.parse()?),
        "value" => Field::Value(encoding.parse()?),
        "headers" => Field::Headers(encoding.parse()?),
        _ => Field::Offset,
    };
    Ok((field, name))
}
