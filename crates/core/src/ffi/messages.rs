//! `rd_kafka_message_t`: the messages of one poll, and reading one.

use std::marker::PhantomData;
use std::sync::Arc;

use super::{rd, text, Client};
use crate::code;
use crate::error::Error;
use crate::packed::{block_bytes, header_bytes};

/// Room for the messages of one poll. A message pins the whole fetch response it came in, so they are copied out and
/// given back at once.
pub(crate) struct Messages {
    raw: Vec<*mut rd::rd_kafka_message_t>,
    _client: Arc<Client>,
}

// SAFETY: messages have no affinity to a thread.
unsafe impl Send for Messages {}

impl Messages {
    pub(crate) fn new(client: &Arc<Client>, capacity: usize) -> Self {
        Self { raw: Vec::with_capacity(capacity), _client: client.clone() }
    }

    pub(super) fn room(&self) -> usize {
        self.raw.capacity() - self.raw.len()
    }

    pub(super) fn spare(&mut self) -> *mut *mut rd::rd_kafka_message_t {
        self.raw.spare_capacity_mut().as_mut_ptr().cast()
    }

    /// # Safety
    /// The first `count` spare slots hold messages that are ours.
    pub(super) unsafe fn grow(&mut self, count: usize) {
        // SAFETY: the caller's promise.
        unsafe { self.raw.set_len(self.raw.len() + count) }
    }

    pub(crate) fn len(&self) -> usize {
        self.raw.len()
    }

    pub(crate) fn get(&self, index: usize) -> Message<'_> {
        Message { raw: self.raw[index], _life: PhantomData }
    }

    /// Gives back all but those that `keep`, asked once each and in order, wants.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&Message<'_>) -> bool) {
        self.raw.retain(|raw| {
            let keep = keep(&Message { raw: *raw, _life: PhantomData });
            if !keep {
                // SAFETY: ours, and leaves the list with this.
                unsafe { rd::rd_kafka_message_destroy(*raw) }
            }
            keep
        });
    }

    /// Gives back the first `count` messages.
    pub(crate) fn release(&mut self, count: usize) {
        for message in self.raw.drain(..count) {
            // SAFETY: ours, and leaves the list with this.
            unsafe { rd::rd_kafka_message_destroy(message) }
        }
    }
}

impl Drop for Messages {
    fn drop(&mut self) {
        self.release(self.len());
    }
}

/// Messages that were read of a log up to `offset` are in it still, and what came behind is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Truncation {
    /// -1: nothing of it is.
    pub(crate) offset: i64,
    pub(crate) leader_epoch: i32,
}

fn truncation(text: &str) -> Option<Truncation> {
    if !text.contains("Partition log truncation detected") {
        return None;
    }
    let (_, found) = text.split_once("broker end offset is ")?;
    let (offset, rest) = found.split_once(" (offset leader epoch ")?;
    let (leader_epoch, _) = rest.split_once(')')?;
    let leader_epoch = leader_epoch.parse().ok()?;
    offset.parse().ok().map(|offset: i64| Truncation { offset: offset.max(-1), leader_epoch })
}

/// One message: received, or reported as delivered or failed.
#[derive(Clone, Copy)]
pub(crate) struct Message<'a> {
    raw: *const rd::rd_kafka_message_t,
    _life: PhantomData<&'a ()>,
}

impl<'a> Message<'a> {
    /// # Safety
    /// `raw` is a valid message for `'a`.
    pub(super) unsafe fn from_raw(raw: *const rd::rd_kafka_message_t) -> Self {
        Self { raw, _life: PhantomData }
    }

    pub(crate) fn error(&self) -> i32 {
        // SAFETY: valid; the code is read as an integer because a newer broker's is not in the enum.
        unsafe { std::ptr::addr_of!((*self.raw).err).cast::<i32>().read() }
    }

    /// librdkafka's words for the error: a received error carries its text as payload.
    pub(crate) fn error_text(&self) -> String {
        match self.value() {
            Some(value) if !value.is_empty() => String::from_utf8_lossy(value).into_owned(),
            _ => code::text(self.error()),
        }
    }

    /// The received error, with its place as far as librdkafka names it.
    pub(crate) fn to_error(self) -> Error {
        let mut error = Error::kafka(self.error(), self.error_text());
        error.topic = Some(self.topic_name()).filter(|topic| !topic.is_empty());
        error.partition = Some(self.partition()).filter(|partition| *partition >= 0);
        error
    }

    /// Of `_AUTO_OFFSET_RESET`: whether the log was cut off below the position, and where. librdkafka has compared the leaders'
    /// epochs (KIP-320), and tells what it found in words only.
    pub(crate) fn truncation(&self) -> Option<Truncation> {
        truncation(&self.error_text())
    }

    /// The same number for the same topic handle: cheaper to compare than names.
    pub(crate) fn topic_id(&self) -> usize {
        // SAFETY: valid.
        unsafe { (*self.raw).rkt as usize }
    }

    pub(crate) fn topic_name(&self) -> String {
        // SAFETY: valid; the handle, when there is one, lives as long as the message.
        unsafe {
            match (*self.raw).rkt {
                rkt if rkt.is_null() => String::new(),
                rkt => text(rd::rd_kafka_topic_name(rkt)),
            }
        }
    }

    pub(crate) fn partition(&self) -> i32 {
        // SAFETY: valid.
        unsafe { (*self.raw).partition }
    }

    pub(crate) fn offset(&self) -> i64 {
        // SAFETY: valid.
        unsafe { (*self.raw).offset }
    }

    pub(crate) fn key(&self) -> Option<&'a [u8]> {
        // SAFETY: valid; pointer and length describe the key, null when there is none.
        unsafe { bytes((*self.raw).key, (*self.raw).key_len) }
    }

    pub(crate) fn value(&self) -> Option<&'a [u8]> {
        // SAFETY: as for the key.
        unsafe { bytes((*self.raw).payload, (*self.raw).len) }
    }

    /// The number that was given when it was produced.
    pub(crate) fn opaque(&self) -> usize {
        // SAFETY: valid.
        unsafe { (*self.raw)._private as usize }
    }

    /// Milliseconds (-1 = none) and type: 0 none, 1 created, 2 appended.
    pub(crate) fn timestamp(&self) -> (i64, i32) {
        let mut kind = rd::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // SAFETY: valid; librdkafka writes one of its three values.
        let timestamp = unsafe { rd::rd_kafka_message_timestamp(self.raw, &mut kind) };
        (timestamp, kind as i32)
    }

    /// -1 = not known.
    pub(crate) fn leader_epoch(&self) -> i32 {
        // SAFETY: valid.
        unsafe { rd::rd_kafka_message_leader_epoch(self.raw) }
    }

    /// Calls `each` with name and value of every header of a received message, in order; returns how many there were.
    pub(crate) fn headers(&self, mut each: impl FnMut(&[u8], Option<&[u8]>)) -> usize {
        // SAFETY: valid and received.
        if !unsafe { rd::rd_kafka_message_may_have_headers(self.raw) } {
            return 0;
        }
        // librdkafka would make a list of them, with an allocation for each.
        match self.unparsed_headers() {
            Some(list) => list.iter().map(|(name, value)| each(name, value)).count(),
            None => self.each_header(each),
        }
    }

    /// The headers of a received message, to be looked at more than once, mostly without making anything.
    pub(crate) fn header_list(&self) -> HeaderList<'a> {
        self.unparsed_headers().unwrap_or_else(|| {
            let mut headers = Vec::new();
            self.headers(|name, value| headers.push((name.to_vec(), value.map(<[u8]>::to_vec))));
            HeaderList::Copied(headers)
        })
    }

    /// None when they were parsed before, or cannot be: librdkafka says what there is.
    fn unparsed_headers(&self) -> Option<HeaderList<'a>> {
        // SAFETY: valid and received; the bytes live as long as the message.
        let unparsed =
            unsafe { rd::rd_kafka_message_unparsed_headers(self.raw).and_then(|(at, size)| bytes(at.cast(), size)) };
        unparsed.and_then(HeaderList::read)
    }

    /// Of a report: how the partition's leader has refused messages last, and how many microseconds ago. It stays when others succeed.
    pub(crate) fn last_refusal(&self) -> Option<(i32, i64)> {
        let mut age = 0;
        // SAFETY: a report is valid and has the handle of its topic; `age` is written where there is an error.
        let code = unsafe { rd::rd_kafka_topic_last_refusal((*self.raw).rkt, self.partition(), &mut age) };
        // librdkafka's own errors are negative, and told elsewhere.
        (code > 0).then_some((code, age))
    }

    /// Of a report: how many microseconds ago it was produced.
    pub(crate) fn age(&self) -> i64 {
        // SAFETY: a report is valid.
        unsafe { rd::rd_kafka_message_latency(self.raw) }
    }

    /// Of a report: the length of the header block that the message was sent with.
    pub(crate) fn sent_header_bytes(&self) -> usize {
        let mut bytes = 0;
        self.each_header(|name, value| bytes += header_bytes(name, value));
        block_bytes(bytes)
    }

    fn each_header(&self, mut each: impl FnMut(&[u8], Option<&[u8]>)) -> usize {
        let mut headers = std::ptr::null_mut();
        // SAFETY: valid; the headers, parsed here on first use, belong to the message.
        if unsafe { rd::rd_kafka_message_headers(self.raw, &mut headers) } as i32 != 0 {
            return 0;
        }
        let mut count = 0;
        loop {
            let (mut name, mut value, mut size) = (std::ptr::null(), std::ptr::null(), 0);
            // SAFETY: the headers are alive; past the last one it returns an error and the loop ends.
            unsafe {
                if rd::rd_kafka_header_get_all(headers, count, &mut name, &mut value, &mut size) as i32 != 0 {
                    return count;
                }
                each(bytes(name.cast(), rd::rd_kafka_header_name_size(name)).unwrap_or_default(), bytes(value, size));
            }
            count += 1;
        }
    }
}

/// The headers of one message.
pub(crate) enum HeaderList<'a> {
    /// How many, and their bytes, which hold that many.
    Unparsed(usize, &'a [u8]),
    Copied(Vec<(Vec<u8>, Option<Vec<u8>>)>),
}

impl<'a> HeaderList<'a> {
    /// None for what is not as Kafka's protocol has it.
    fn read(bytes: &'a [u8]) -> Option<Self> {
        if bytes.is_empty() {
            return Some(Self::Unparsed(0, bytes));
        }
        let mut rest = bytes;
        // librdkafka's bound: what says more is no list of headers.
        let count = usize::try_from(number(&mut rest)?).ok().filter(|count| *count <= 100_000)?;
        let list = rest;
        for _ in 0..count {
            header(&mut rest)?;
        }
        Some(Self::Unparsed(count, list))
    }

    /// In order; a name can come more than once.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
        let (mut left, mut rest, copied) = match self {
            Self::Unparsed(count, bytes) => (*count, *bytes, &[][..]),
            Self::Copied(headers) => (0, &[][..], &headers[..]),
        };
        let unparsed = std::iter::from_fn(move || {
            left = left.checked_sub(1)?;
            header(&mut rest)
        });
        unparsed.chain(copied.iter().map(|(name, value)| (&name[..], value.as_deref())))
    }
}

/// One header, which `rest` begins with.
fn header<'a>(rest: &mut &'a [u8]) -> Option<(&'a [u8], Option<&'a [u8]>)> {
    let size = usize::try_from(number(rest)?).ok()?;
    let (name, behind) = rest.split_at_checked(size)?;
    *rest = behind;
    let size = number(rest)?;
    if size == -1 {
        return Some((name, None));
    }
    let (value, behind) = rest.split_at_checked(usize::try_from(size).ok()?)?;
    *rest = behind;
    Some((name, Some(value)))
}

/// A number of 64 bits as Kafka's protocol shortens it: seven bits a byte, the lowest first, the sign in the last of them.
fn number(rest: &mut &[u8]) -> Option<i64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (byte, behind) = rest.split_first()?;
        *rest = behind;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some((value >> 1) as i64 ^ -((value & 1) as i64));
        }
    }
    None
}

/// # Safety
/// `pointer` is null or points at `length` bytes that live for `'a`.
unsafe fn bytes<'a>(pointer: *const std::ffi::c_void, length: usize) -> Option<&'a [u8]> {
    // SAFETY: the caller's promise.
    (!pointer.is_null()).then(|| unsafe { std::slice::from_raw_parts(pointer.cast(), length) })
}

#[cfg(test)]
mod tests {
    use super::{truncation, HeaderList, Truncation};

    #[test]
    fn headers_are_read_where_they_lie_and_what_is_no_list_is_refused() {
        // Two: 'ab' = [0xff, 0], '' = null; what follows is none of them.
        let bytes = [4, 4, b'a', b'b', 4, 0xff, 0, 0, 1, 9, 9];
        let list = HeaderList::read(&bytes).unwrap();
        assert_eq!(list.iter().collect::<Vec<_>>(), [(&b"ab"[..], Some(&[0xff, 0][..])), (b"", None)]);
        assert_eq!(HeaderList::read(&[]).unwrap().iter().count(), 0);
        assert_eq!(HeaderList::read(&[0]).unwrap().iter().count(), 0);
        for length in 1..9 {
            assert!(HeaderList::read(&bytes[..length]).is_none(), "the first {length} bytes");
        }
        let long = [&[0xac, 2][..], &[b'x'; 150], &[0]].concat();
        let list = [&[2][..], &long].concat();
        assert_eq!(HeaderList::read(&list).unwrap().iter().collect::<Vec<_>>(), [(&[b'x'; 150][..], Some(&b""[..]))]);
        for lie in [&[1][..], &[2, 1], &[2, 0, 3], &[0xff; 11], &[0xff, 0xff, 0xff, 0x7f]] {
            assert!(HeaderList::read(lie).is_none(), "{lie:?}");
        }
    }

    #[test]
    fn where_a_log_was_cut_off_is_read_from_what_librdkafka_says() {
        let detected =
            "Partition log truncation detected at offset 100 (leader epoch 2): broker end offset is 50 (offset leader \
                        epoch 2). Reset to INVALID.: Local: Partition log truncation detected (broker 3)";
        assert_eq!(truncation(detected), Some(Truncation { offset: 50, leader_epoch: 2 }));
        let nothing = "No epoch found less or equal to offset 100 (leader epoch 2): broker end offset is -1 (offset leader epoch \
                       -1). Reset using configured policy.: Local: Partition log truncation detected (broker 3)";
        assert_eq!(truncation(nothing), Some(Truncation { offset: -1, leader_epoch: -1 }));
        let range =
            "fetch failed due to requested offset not available on the broker: Broker: Offset out of range (broker 1)";
        assert_eq!(truncation(range), None);
    }
}
