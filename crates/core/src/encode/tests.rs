use base64::engine::general_purpose::STANDARD;
use base64::Engine;
use serde_json::{json, Value};

use super::*;

fn block(headers: &[(&[u8], Option<&[u8]>)]) -> Vec<u8> {
    let mut block = (headers.len() as i32).to_ne_bytes().to_vec();
    for (name, value) in headers {
        block.extend((name.len() as i32).to_ne_bytes());
        block.extend(value.map_or(-1, |value| value.len() as i32).to_ne_bytes());
        block.extend(*name);
        block.extend(value.unwrap_or_default());
    }
    block
}

fn encoded(format: &Format, messages: &[Fields<'_>]) -> Encoded {
    let mut writer = Writer::new(format, b"", messages.len(), 0);
    messages.iter().for_each(|fields| writer.message(("t\"", 3), fields));
    writer.end(b"")
}

fn written(format: &Format, messages: &[Fields<'_>]) -> (String, usize) {
    let Encoded { bytes, errors, .. } = encoded(format, messages);
    (String::from_utf8(bytes).unwrap(), errors)
}

fn fields<'a>(key: Option<&'a [u8]>, value: Option<&'a [u8]>, headers: &'a [u8]) -> Fields<'a> {
    Fields { offset: i64::MAX, timestamp: -1, key, value, headers }
}

const ALL: [Encoding; 3] = [Encoding::Text, Encoding::Base64, Encoding::Json];

#[test]
fn a_message_is_an_object_with_what_the_format_wants() {
    let block = block(&[(b"b", Some(b"2")), (b"a", Some(b"1")), (b"b", None)]);
    let one = [fields(Some(b"k\n"), Some("v\u{1f600}".as_bytes()), &block)];
    let (text, errors) = written(&Format::new(Codec::Json), &one);
    let wanted = json!([{
        "topic": "t\"", "partition": 3, "offset": "9223372036854775807", "timestamp": "-1",
        "key": "k\n", "value": "v\u{1f600}", "headers": { "a": "1", "b": ["2", null] },
    }]);
    assert_eq!((serde_json::from_str::<Value>(&text).unwrap(), errors), (wanted, 0));
    let none = Format::new(Codec::Ndjson).fields([(Field::Offset, "offset")]).unwrap();
    let two = [fields(None, None, &[]), fields(None, None, &[])];
    assert_eq!(written(&none, &two).0, "{\"offset\":\"9223372036854775807\"}\n".repeat(2));
    assert_eq!(written(&Format::new(Codec::Json), &[]).0, "[]");
}

#[test]
fn json_stays_as_it_stands_on_one_line() {
    let format = Format::new(Codec::Ndjson).fields([(Field::Value(Encoding::Json), "value")]).unwrap();
    for value in ["{\"a\":\r\n[1, 2e400, \"\\n\\ud800\"]}", " null\n", "\"\u{2028}\"", &"[".repeat(5000)[..]] {
        let whole = value.replace("[[", "").len() == value.len();
        let (text, errors) = written(&format, &[fields(None, Some(value.as_bytes()), &[])]);
        assert_eq!((text.matches('\n').count(), errors), (1, usize::from(!whole)), "{value}");
        if whole {
            assert!(text.contains(&value.replace(['\r', '\n'], " ")), "{text}");
        }
    }
}

#[test]
fn nothing_breaks_the_document_and_what_is_invalid_is_told() {
    let bad: [&[u8]; 6] = [b"\xff", b"{", b"", b"a\0b", b"1 2", b"\"\n\""];
    for encoding in ALL {
        for invalid in [Invalid::Base64, Invalid::Null] {
            for value in bad {
                let block =
                    block(&[(b"x", Some(b"1")), (b"x", Some(value)), (b"\xfe", Some(b"1")), (b"y", Some(b"1"))]);
                let fields_of = [
                    (Field::Key(encoding), "key"),
                    (Field::Value(encoding), "value"),
                    (Field::Headers(encoding), "headers"),
                ];
                let format = Format::new(Codec::Json).fields(fields_of).unwrap().invalid(invalid);
                let (text, errors) = written(&format, &[fields(Some(value), Some(value), &block)]);
                let document: Value = serde_json::from_str(&text).expect(&text);
                let message = &document[0];
                let valid = match encoding {
                    Encoding::Base64 => true,
                    Encoding::Text => std::str::from_utf8(value).is_ok(),
                    Encoding::Json => false,
                    Encoding::Binary => unreachable!("JSON has none"),
                };
                // And the name that is no UTF-8.
                assert_eq!(errors, if valid { 1 } else { 4 }, "{text}");
                let encoded = STANDARD.encode(value);
                match (valid, invalid) {
                    (true, _) => assert!(message["value"].is_string(), "{text}"),
                    (false, Invalid::Null | Invalid::Replace) => assert_eq!(message["value"], Value::Null, "{text}"),
                    (false, Invalid::Base64) => {
                        assert_eq!(message.get("value"), None, "{text}");
                        assert_eq!(
                            (&message["keyBase64"], &message["valueBase64"]),
                            (&json!(encoded), &json!(encoded))
                        );
                        assert_eq!(message["headersBase64"]["x"], json!(["MQ==", encoded]));
                    }
                }
                assert!(!message["headers"]["y"].is_null(), "{text}");
            }
        }
    }
}

#[test]
fn bytes_that_are_no_batch_are_refused() {
    let golden = include_bytes!("../../tests/golden-batch.bin");
    let count = i32::from_ne_bytes(golden[..4].try_into().unwrap()) as usize;
    let wanted = Format::new(Codec::Json).only(Rule::header("trace", [Some("x")]).negated()).unwrap();
    for format in [Format::new(Codec::Json), Format::new(Codec::Msgpack).sparse(true), wanted] {
        let encode =
            |bytes: &[u8], range: Range<usize>| encode_packed(&[(bytes, range)], ("t", 0), &format, (b"", b""));
        let whole = encode(golden, 0..count).unwrap();
        assert_eq!(document(&format, &whole).as_array().unwrap().len(), whole.count);
        assert!(encode(golden, 0..count + 1).is_err());
        assert!(encode(&[], 0..0).is_err());
        // Whatever byte a handler has changed: an answer, and no panic.
        for at in 0..golden.len() {
            for to in [0, 1, 127, 128, 255] {
                let mut changed = golden.to_vec();
                changed[at] = to;
                if let Ok(encoded) = encode(&changed, 0..count) {
                    assert_eq!(document(&format, &encoded).as_array().unwrap().len(), encoded.count);
                }
                let _ = encode(&changed, count / 2..count);
            }
        }
        for end in 0..golden.len() {
            let _ = encode(&golden[..end], 0..count);
        }
    }
}

/// The document as a decoder has it; panics when it is not whole.
fn document(format: &Format, encoded: &Encoded) -> Value {
    if format.codec != Codec::Msgpack {
        return serde_json::from_slice(&encoded.bytes).unwrap();
    }
    let mut rest = &encoded.bytes[..];
    let document = unpacked(&mut rest);
    assert_eq!(rest, b"");
    document
}

/// msgpack as JSON has it; a bin is `{"bin": [..]}`.
fn unpacked(rest: &mut &[u8]) -> Value {
    fn take<'a>(rest: &mut &'a [u8], count: usize) -> &'a [u8] {
        let (taken, left) = rest.split_at(count);
        *rest = left;
        taken
    }
    fn unsigned(rest: &mut &[u8], bytes: usize) -> u64 {
        take(rest, bytes).iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
    }
    let first = take(rest, 1)[0];
    let text = |rest: &mut &[u8], length| json!(std::str::from_utf8(take(rest, length)).unwrap());
    let list = |rest: &mut &[u8], count| (0..count).map(|_| unpacked(rest)).collect::<Value>();
    let map = |rest: &mut &[u8], count| {
        let members = (0..count).map(|_| (unpacked(rest).as_str().unwrap().to_owned(), unpacked(rest)));
        Value::Object(members.collect())
    };
    let width = |first: u8, least: u8| 1usize << (first - least);
    match first {
        0..=0x7f => json!(first),
        0x80..=0x8f => map(rest, usize::from(first & 15)),
        0x90..=0x9f => list(rest, usize::from(first & 15)),
        0xa0..=0xbf => text(rest, usize::from(first & 31)),
        0xc0 => Value::Null,
        0xe0.. => json!(first as i8),
        0xc4..=0xc6 => {
            let length = unsigned(rest, width(first, 0xc4)) as usize;
            json!({ "bin": take(rest, length) })
        }
        0xcc..=0xcf => json!(unsigned(rest, width(first, 0xcc))),
        0xd0..=0xd3 => {
            let bytes = width(first, 0xd0);
            let shift = 64 - 8 * bytes as u32;
            json!(((unsigned(rest, bytes) << shift) as i64) >> shift)
        }
        0xd9..=0xdb => {
            let length = unsigned(rest, width(first, 0xd9)) as usize;
            text(rest, length)
        }
        0xdc | 0xdd => {
            let count = unsigned(rest, 2 * width(first, 0xdc)) as usize;
            list(rest, count)
        }
        0xde | 0xdf => {
            let count = unsigned(rest, 2 * width(first, 0xde)) as usize;
            map(rest, count)
        }
        _ => panic!("0x{first:x} is nothing that is written"),
    }
}

#[test]
fn msgpack_has_every_length_and_number_in_its_shortest_form() {
    let format = Format::new(Codec::Msgpack)
        .fields([(Field::Offset, "o"), (Field::Key(Encoding::Text), "k"), (Field::Value(Encoding::Binary), "v")])
        .unwrap();
    for bits in 0..64 {
        for number in [1i64 << bits, (1i64 << bits).wrapping_sub(1), (1i64 << bits).wrapping_neg(), !(1i64 << bits)] {
            let one = encoded(&format, &[Fields { offset: number, ..fields(None, None, &[]) }]);
            assert_eq!(document(&format, &one), json!([{ "o": number, "k": null, "v": null }]));
            let wanted = match number {
                -0x20..=0x7f => 1,
                -0x80..=0xff => 2,
                -0x8000..=0xffff => 3,
                -0x8000_0000..=0xffff_ffff => 5,
                _ => 9,
            };
            // An array and a map of one byte, three names of two, two nulls of one.
            assert_eq!(one.bytes.len() - 10, wanted, "{number}");
        }
    }
    for (length, str_head, bin_head) in
        [(0, 1, 2), (31, 1, 2), (32, 2, 2), (255, 2, 2), (256, 3, 3), (65535, 3, 3), (65536, 5, 5)]
    {
        let text = "x".repeat(length);
        let one =
            encoded(&format, &[Fields { offset: 0, ..fields(Some(text.as_bytes()), Some(text.as_bytes()), &[]) }]);
        assert_eq!(document(&format, &one), json!([{ "o": 0, "k": text, "v": { "bin": text.as_bytes() } }]));
        assert_eq!(one.bytes.len() - 9, 2 * length + str_head + bin_head, "{length}");
    }
    for (count, head) in [(0, 1), (15, 1), (16, 3), (65535, 3), (65536, 5)] {
        let many: Vec<_> = (0..count).map(|_| Fields { offset: 0, ..fields(None, None, &[]) }).collect();
        let all = encoded(&format, &many);
        assert_eq!(document(&format, &all).as_array().unwrap().len(), count);
        assert_eq!(all.bytes.len(), head + count * 10);
    }
}

#[test]
fn msgpack_keeps_bytes_that_are_no_text() {
    let block = block(&[(b"b", Some(b"\xff")), (b"a", Some(b"1")), (b"b", None), (b"\xfe", Some(b"2"))]);
    let one = [fields(Some(b"\xff"), Some(b"\xe2\x82"), &block)];
    let text = [
        (Field::Key(Encoding::Text), "key"),
        (Field::Value(Encoding::Base64), "value"),
        (Field::Headers(Encoding::Text), "headers"),
    ];
    for (invalid, key) in [
        (Invalid::Base64, json!({ "bin": [255] })),
        (Invalid::Null, json!(null)),
        (Invalid::Replace, json!("\u{fffd}")),
    ] {
        let format = Format::new(Codec::Msgpack).fields(text).unwrap().invalid(invalid);
        let found = encoded(&format, &one);
        let headers = json!({ "a": "1", "b": [key, null], "\u{fffd}": "2" });
        assert_eq!(document(&format, &found), json!([{ "key": key, "value": "4oI=", "headers": headers }]));
        assert_eq!((found.errors, found.count), (3, 1));
    }
    assert!(Format::new(Codec::Msgpack).fields([(Field::Key(Encoding::Json), "key")]).is_err());
    assert!(Format::new(Codec::Json).fields([(Field::Headers(Encoding::Binary), "headers")]).is_err());
}

#[test]
fn what_is_null_is_left_out_where_it_is_asked() {
    for codec in [Codec::Json, Codec::Msgpack] {
        let named = |value| {
            [(Field::Key(Encoding::Text), "k"), (Field::Headers(Encoding::Text), "h"), (Field::Value(value), "v")]
        };
        let format = Format::new(codec).fields(named(Encoding::Text)).unwrap().sparse(true);
        let found = encoded(&format, &[fields(None, None, &[]), fields(Some(b""), None, &block(&[(b"a", None)]))]);
        assert_eq!(document(&format, &found), json!([{ "v": null }, { "k": "", "h": { "a": null }, "v": null }]));
        let format = Format::new(codec).fields([(Field::Key(Encoding::Text), "k")]).unwrap().sparse(true);
        assert_eq!(document(&format, &encoded(&format, &[fields(None, None, &[])])), json!([{}]));
    }
    let format = Format::new(Codec::Json).fields([(Field::Headers(Encoding::Text), "h")]).unwrap().sparse(true);
    let found = encoded(&format, &[fields(None, None, &block(&[(b"a", Some(b"\xff"))]))]);
    assert_eq!(document(&format, &found), json!([{ "hBase64": { "a": "/w==" } }]));
}

#[test]
fn only_what_a_rule_wants_is_there_and_counted() {
    for (codec, empty) in [(Codec::Json, &b"[]"[..]), (Codec::Ndjson, b""), (Codec::Msgpack, b"\x90")] {
        let format = Format::new(codec).fields([(Field::Key(Encoding::Text), "k")]).unwrap();
        let format = format.only(Rule::key([Some("a")])).unwrap();
        let (a, b) = (fields(Some(b"a"), None, &[]), fields(Some(b"b"), None, &[]));
        let none = encoded(&format, std::slice::from_ref(&b));
        assert_eq!((&none.bytes[..], none.count), (empty, 0));
        let two = encoded(&format, &[a, b, fields(Some(b"a"), None, &[])]);
        assert_eq!(two.count, 2);
        if codec != Codec::Ndjson {
            assert_eq!(document(&format, &two), json!([{ "k": "a" }, { "k": "a" }]));
        }
    }
}

#[test]
fn text_is_escaped_as_serde_does_it() {
    let mut bytes = Vec::new();
    let mut state = 7u32;
    for round in 0..20_000 {
        bytes.clear();
        for _ in 0..round % 70 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let rare = [
                "\"",
                "\\",
                "\n",
                "\u{1}",
                "\u{1f}",
                "\u{7f}",
                "\u{e9}",
                "\u{2028}",
                "\u{1f600}",
                "\r\t",
                "\u{8}\u{c}",
            ];
            match state >> 28 {
                0 => bytes.extend_from_slice(rare[(state >> 16) as usize % rare.len()].as_bytes()),
                _ => bytes.push(b'a' + (state >> 16) as u8 % 26),
            }
        }
        let format = Format::new(Codec::Json).fields([(Field::Value(Encoding::Text), "v")]).unwrap();
        let (text, _) = written(&format, &[fields(None, Some(&bytes), &[])]);
        let wanted = serde_json::to_string(std::str::from_utf8(&bytes).unwrap()).unwrap();
        assert_eq!(text, format!("[{{\"v\":{wanted}}}]"));
        let (replaced, errors) = written(&format.invalid(Invalid::Replace), &[fields(None, Some(&bytes), &[])]);
        assert_eq!((replaced, errors), (text, 0));
    }
}

#[test]
fn what_is_asked_stands_around_the_document() {
    let golden = include_bytes!("../../tests/golden-batch.bin");
    for codec in [Codec::Json, Codec::Ndjson, Codec::Msgpack] {
        let format = Format::new(codec);
        let alone = encode_packed(&[(&golden[..], 0..2), (&golden[..], 1..2)], ("t", 0), &format, (b"", b"")).unwrap();
        let framed =
            encode_packed(&[(&golden[..], 0..2), (&golden[..], 1..2)], ("t", 0), &format, (b"<[", b",]>")).unwrap();
        assert_eq!(framed.bytes, [b"<[", &alone.bytes[..], b",]>"].concat());
        assert_eq!((framed.count, framed.errors), (3, alone.errors));
        assert!(framed.bytes.capacity() <= framed.bytes.len() + framed.bytes.len() / 8);
    }
}
