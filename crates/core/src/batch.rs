//! The received batch: packed by the client's thread, read in place by whoever gets it.

use std::ops::Range;
use std::sync::Arc;

use crate::ffi::{self, Messages};
use crate::layout::{self, Double, Flag, Header as Head, Int, Place, Run, RunField, Since};
use crate::packed::header_block;

/// A batch ends at this many bytes of keys and values. Fewer cost more CPU, and more hold JavaScript's event loop longer
/// (`npm run bench -- --shapes consume`).
pub(crate) const DATA: usize = 192 * 1024;

/// Where a batch ends, whatever comes first. A message larger than the bytes travels alone.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) count: usize,
    pub(crate) data: usize,
    pub(crate) charge: u64,
}

/// A batch as it crosses the boundary.
pub(crate) struct Packed {
    pub(crate) bytes: Vec<u8>,
    pub(crate) count: usize,
}

/// Chooses what goes into the next batch: the messages from the front up to a limit, an error, or one of a partition that
/// `place_of` (asked once a run) no longer knows; it tells the topic's number and the assignment's epoch.
/// Fills `runs`; returns how many messages, their bytes of data, and whether any has headers.
pub(crate) fn choose(
    messages: &Messages,
    limits: Limits,
    runs: &mut Vec<Run>,
    place_of: impl Fn(&ffi::Message<'_>) -> Option<(i32, i32)>,
) -> (usize, usize, bool) {
    runs.clear();
    let (mut data, mut charge, mut headers) = (0, 0, false);
    for i in 0..messages.len().min(limits.count) {
        let message = messages.get(i);
        if message.error() != 0 {
            return (i, data, headers);
        }
        let mut size = message.key().map_or(0, <[u8]>::len) + message.value().map_or(0, <[u8]>::len);
        let found = message.headers(|name, value| size += 8 + name.len() + value.map_or(0, <[u8]>::len));
        let cost = (size + layout::MESSAGE_OVERHEAD) as u64;
        if i > 0 && (data + size > limits.data || charge + cost > limits.charge) {
            return (i, data, headers);
        }
        let (handle, partition) = (message.topic_id(), message.partition());
        let (offset, leader_epoch) = (message.offset(), message.leader_epoch());
        let (_, timestamp_type) = message.timestamp();
        match runs.last_mut() {
            Some(run)
                if run.partition == partition
                    && run.handle == handle
                    && run.last_offset < offset
                    && run.leader_epoch == leader_epoch
                    && run.timestamp_type == timestamp_type =>
            {
                run.last_offset = offset;
                run.charge += cost;
            }
            _ => {
                let Some((topic, epoch)) = place_of(&message) else { return (i, data, headers) };
                runs.push(Run {
                    handle,
                    topic,
                    partition,
                    epoch,
                    leader_epoch,
                    timestamp_type,
                    first: i,
                    first_offset: offset,
                    last_offset: offset,
                    charge: cost,
                });
            }
        }
        data += size;
        charge += cost;
        headers = headers || found > 0;
    }
    (messages.len().min(limits.count), data, headers)
}

/// Packs the first `count` messages, as `choose` counted them.
pub(crate) fn pack(
    messages: &Messages,
    (count, data, headers): (usize, usize, bool),
    runs: &[Run],
    misses: u64,
    repeats: u64,
) -> Packed {
    let columns = layout::runs_at(count, headers) + runs.len() * RunField::COUNT * 4;
    let mut bytes = Vec::with_capacity(columns + data);
    bytes.resize(columns, 0);
    let (head, rest) = bytes.split_at_mut(layout::COLUMNS);
    let (doubles, rest) = rest.split_at_mut(layout::ints_at(count) - layout::COLUMNS);
    let (ints, run_column) = rest.split_at_mut(layout::runs_at(count, headers) - layout::ints_at(count));

    let mut position = 0;
    let length = |bytes: Option<&[u8]>| bytes.map_or(-1, |bytes| bytes.len() as i32);
    for i in 0..count {
        let message = messages.get(i);
        let place = Place { position, key_length: length(message.key()), value_length: length(message.value()) };
        Double::write(doubles, count, i, &message, place);
        Int::write(ints, count, i, &message, place);
        position += place.key_length.max(0) + place.value_length.max(0);
    }
    for (run, ints) in runs.iter().zip(run_column.chunks_exact_mut(RunField::COUNT * 4)) {
        RunField::write(ints, 1, 0, run, ());
    }
    let charge: u64 = runs.iter().map(|run| run.charge).sum();
    set_i32(head, Head::Messages as usize, count as i32);
    set_i32(head, Head::Runs as usize, runs.len() as i32);
    set_i32(head, Head::Data as usize, columns as i32);
    set_i32(head, Head::Charge as usize, i32::try_from(charge).unwrap_or(i32::MAX));
    let (_, since) = head.split_at_mut(layout::HEADER_INTS * 4);
    set_f64(since, Since::Misses as usize, misses as f64);
    set_f64(since, Since::Repeats as usize, repeats as f64);

    let mut ascii = true;
    for i in 0..count {
        let message = messages.get(i);
        for part in [message.key(), message.value()].into_iter().flatten() {
            ascii = ascii && part.is_ascii();
            bytes.extend_from_slice(part);
        }
    }
    if headers {
        let column = layout::headers_at(count);
        for i in 0..count {
            let start = bytes.len();
            bytes.extend_from_slice(&0i32.to_ne_bytes());
            let found = messages.get(i).headers(|name, value| {
                bytes.extend_from_slice(&(name.len() as i32).to_ne_bytes());
                bytes.extend_from_slice(&length(value).to_ne_bytes());
                bytes.extend_from_slice(name);
                bytes.extend_from_slice(value.unwrap_or_default());
            });
            let at = if found > 0 { (start - columns) as i32 } else { -1 };
            set_i32(&mut bytes[column..], i, at);
            match found {
                0 => bytes.truncate(start),
                found => set_i32(&mut bytes[start..], 0, found as i32),
            }
        }
    }
    let flags = if headers { Flag::Headers.bit() } else { 0 } | if ascii { Flag::Ascii.bit() } else { 0 };
    set_i32(&mut bytes, Head::Flags as usize, flags);
    Packed { bytes, count }
}

fn set_i32(column: &mut [u8], index: usize, value: i32) {
    column[index * 4..index * 4 + 4].copy_from_slice(&value.to_ne_bytes());
}

fn set_f64(column: &mut [u8], index: usize, value: f64) {
    column[index * 8..index * 8 + 8].copy_from_slice(&value.to_ne_bytes());
}

/// The consumer that hears what becomes of a batch.
pub(crate) trait Settler: Send + Sync {
    fn settle(&self, batch: u64);
    fn abandon(&self, batch: u64);
}

/// Messages that were handed over together. They count against the budget until the batch is done or dropped.
pub struct Batch {
    pub(crate) id: u64,
    pub(crate) packed: Packed,
    /// By the number that a run has of them.
    pub(crate) topics: Arc<[Arc<str>]>,
    /// Runs that went out of date before the batch was taken.
    pub(crate) outdated: Vec<usize>,
    /// None once it was settled, or when somebody else settles by id.
    pub(crate) settler: Option<Arc<dyn Settler>>,
}

/// Of which partition and epoch a run is, and up to where.
pub(crate) struct RunPlace {
    pub(crate) topic: i32,
    pub(crate) partition: i32,
    pub(crate) epoch: i32,
    pub(crate) last_offset: i64,
}

/// A received message, borrowed from its batch.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    /// The topic.
    pub topic: &'a str,
    /// The partition.
    pub partition: i32,
    /// The offset in the partition.
    pub offset: i64,
    /// Milliseconds since 1970; -1 = none.
    pub timestamp: i64,
    /// The epoch of the leader that wrote it; -1 = not known.
    pub leader_epoch: i32,
    /// The key; none and empty are different.
    pub key: Option<&'a [u8]>,
    /// The value; none (a tombstone) and empty are different.
    pub value: Option<&'a [u8]>,
    headers: &'a [u8],
}

/// One header of a message: name and value.
pub type Header<'a> = (&'a [u8], Option<&'a [u8]>);

impl<'a> Message<'a> {
    /// The headers in order; a name can come more than once.
    pub fn headers(&self) -> impl Iterator<Item = Header<'a>> {
        header_block(self.headers)
    }

    pub(crate) fn fields(&self) -> Fields<'a> {
        let Self { offset, timestamp, key, value, headers, .. } = *self;
        Fields { offset, timestamp, key, value, headers }
    }
}

/// A packed batch where it lies, its own or somebody else's: what does not fit its buffer is none.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    bytes: &'a [u8],
    pub(crate) count: usize,
    runs: usize,
    with_headers: bool,
    data: &'a [u8],
}

/// A message's own fields, in its batch.
pub(crate) struct Fields<'a> {
    pub(crate) offset: i64,
    pub(crate) timestamp: i64,
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: Option<&'a [u8]>,
    /// The header block, and what comes behind it; empty without headers.
    pub(crate) headers: &'a [u8],
}

impl<'a> View<'a> {
    pub(crate) fn of(bytes: &'a [u8]) -> Option<Self> {
        let head = |place: Head| {
            let at = place as usize * 4;
            Some(i32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().expect("four bytes")))
        };
        let count = usize::try_from(head(Head::Messages)?).ok()?;
        let runs = usize::try_from(head(Head::Runs)?).ok()?;
        let with_headers = head(Head::Flags)? & Flag::Headers.bit() != 0;
        let columns = layout::runs_at(count, with_headers) + runs * RunField::COUNT * 4;
        let data = bytes.get(columns..)?;
        (head(Head::Data)? as usize == columns).then_some(Self { bytes, count, runs, with_headers, data })
    }

    /// About how many bytes of keys, values and headers these messages have; never more than there are.
    pub(crate) fn data_share(&self, range: Range<usize>) -> usize {
        if range.is_empty() {
            return 0;
        }
        let after = |i| {
            [Int::Position, Int::KeyLength, Int::ValueLength]
                .map(|column| self.int(column, i).max(0) as usize)
                .iter()
                .sum()
        };
        let values = usize::saturating_sub(after(range.end - 1), self.int(Int::Position, range.start).max(0) as usize);
        let headers = self.data.len().saturating_sub(after(self.count - 1));
        self.data.len().min(values + headers * range.len() / self.count)
    }

    #[inline(always)] // a call writes what the next one reads in other pieces, which takes longer than all of it
    pub(crate) fn fields(&self, i: usize) -> Option<Fields<'a>> {
        if i >= self.count {
            return None;
        }
        let part = |start: usize, length: i32| match usize::try_from(length) {
            Err(_) => Some(None),
            Ok(length) => self.data.get(start..start.checked_add(length)?).map(Some),
        };
        let start = usize::try_from(self.int(Int::Position, i)).ok()?;
        let key = part(start, self.int(Int::KeyLength, i))?;
        let value = part(start + key.map_or(0, <[u8]>::len), self.int(Int::ValueLength, i))?;
        let headers = if self.with_headers { self.i32(layout::headers_at(self.count) + i * 4) } else { -1 };
        Some(Fields {
            offset: self.double(Double::Offset, i) as i64,
            timestamp: self.double(Double::Timestamp, i) as i64,
            key,
            value,
            headers: usize::try_from(headers).map_or(Some(&[][..]), |at| self.data.get(at..))?,
        })
    }

    /// The first message of a run; behind the last run the count.
    fn first_of(&self, run: usize) -> usize {
        if run < self.runs {
            self.run_int(run, RunField::First) as usize
        } else {
            self.count
        }
    }

    fn since(&self, place: Since) -> u64 {
        self.f64(layout::HEADER_INTS * 4 + place as usize * 8) as u64
    }

    fn double(&self, column: Double, i: usize) -> f64 {
        self.f64(layout::COLUMNS + (column as usize * self.count + i) * 8)
    }

    fn int(&self, column: Int, i: usize) -> i32 {
        self.i32(layout::ints_at(self.count) + (column as usize * self.count + i) * 4)
    }

    fn run_int(&self, run: usize, field: RunField) -> i32 {
        self.i32(layout::runs_at(self.count, self.with_headers) + (run * RunField::COUNT + field as usize) * 4)
    }

    fn i32(&self, at: usize) -> i32 {
        i32::from_ne_bytes(self.bytes[at..at + 4].try_into().expect("four bytes"))
    }

    fn f64(&self, at: usize) -> f64 {
        f64::from_ne_bytes(self.bytes[at..at + 8].try_into().expect("eight bytes"))
    }
}

impl Batch {
    /// The number of the batch, rising.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// How many messages it has; at least one.
    pub fn len(&self) -> usize {
        self.packed.count
    }

    /// Never.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Offsets that the broker deleted before they could be read, since the batch before.
    pub fn misses(&self) -> u64 {
        self.view().since(Since::Misses)
    }

    /// How often an offset came back below what was expected (the topic was made anew), since the batch before.
    pub fn repeats(&self) -> u64 {
        self.view().since(Since::Repeats)
    }

    /// The messages, in the order in which they arrived; those of a partition in the order of their offsets.
    pub fn messages(&self) -> impl Iterator<Item = Message<'_>> {
        let view = self.view();
        let mut run = 0;
        (0..view.count).filter_map(move |i| {
            while run + 1 < view.runs && view.first_of(run + 1) <= i {
                run += 1;
            }
            if self.outdated.contains(&run) {
                return None;
            }
            let Fields { offset, timestamp, key, value, headers } = view.fields(i).expect("the packer's own columns");
            Some(Message {
                topic: &self.topics[view.run_int(run, RunField::Topic) as usize],
                partition: view.run_int(run, RunField::Partition),
                offset,
                timestamp,
                leader_epoch: view.run_int(run, RunField::LeaderEpoch),
                key,
                value,
                headers,
            })
        })
    }

    /// Each run: of which partition and epoch, and up to where.
    pub(crate) fn places(&self) -> impl Iterator<Item = RunPlace> {
        let view = self.view();
        let places = (0..view.runs).map(|run| RunPlace {
            topic: view.run_int(run, RunField::Topic),
            partition: view.run_int(run, RunField::Partition),
            epoch: view.run_int(run, RunField::Epoch),
            last_offset: view.double(Double::Offset, view.first_of(run + 1) - 1) as i64,
        });
        places.collect::<Vec<_>>().into_iter()
    }

    /// Everything in it is processed: its offsets are recorded as soon as everything before them is, too.
    pub fn done(mut self) {
        if let Some(settler) = self.settler.take() {
            settler.settle(self.id);
        }
    }

    /// The packed buffer (see [`layout`](crate::layout)), to be settled by [`id`](Self::id) through its consumer.
    pub fn into_packed(mut self) -> Vec<u8> {
        self.settler = None;
        std::mem::take(&mut self.packed.bytes)
    }

    fn view(&self) -> View<'_> {
        View::of(&self.packed.bytes).expect("the packer's own header")
    }
}

impl Drop for Batch {
    /// Not done: nothing of its partitions from here on is recorded, so a restart repeats these messages.
    fn drop(&mut self) {
        if let Some(settler) = self.settler.take() {
            settler.abandon(self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{json, Value};

    use super::*;

    /// The batch that JavaScript's own test decodes, too: js/kafka-native/test/packed.test.js.
    #[test]
    fn the_golden_batch_is_decoded() {
        let golden: Value = serde_json::from_str(include_str!("../tests/golden-batch.json")).unwrap();
        let bytes = include_bytes!("../tests/golden-batch.bin").to_vec();
        let count = i32::from_ne_bytes(bytes[..4].try_into().unwrap()) as usize;
        let topics = golden["topics"].as_array().unwrap().iter().map(|topic| topic.as_str().unwrap().into()).collect();
        let batch = Batch { id: 1, packed: Packed { bytes, count }, topics, outdated: Vec::new(), settler: None };

        assert_eq!(json!([batch.misses(), batch.repeats()]), json!([golden["misses"], golden["repeats"]]));
        let text = |bytes: Option<&[u8]>| bytes.map(|bytes| std::str::from_utf8(bytes).unwrap().to_owned());
        let found = batch.messages().map(|message| {
            let headers = message.headers().map(|(name, value)| json!([text(Some(name)), text(value)]));
            json!({
                "topic": message.topic, "partition": message.partition, "leaderEpoch": message.leader_epoch,
                "offset": message.offset, "timestamp": message.timestamp,
                "key": text(message.key), "value": text(message.value), "headers": Vec::from_iter(headers),
            })
        });
        let places = batch.places().map(|run| json!([run.topic, run.partition, run.epoch, run.last_offset]));

        let runs = golden["runs"].as_array().unwrap();
        let packed = runs.iter().flat_map(|run| {
            run["messages"].as_array().unwrap().iter().map(|message| {
                let mut message = message.clone();
                message["topic"] = golden["topics"][run["topic"].as_u64().unwrap() as usize].clone();
                message["partition"] = run["partition"].clone();
                message["leaderEpoch"] = run["leaderEpoch"].clone();
                message.as_object_mut().unwrap().entry("headers").or_insert(json!([]));
                message
            })
        });
        let ends = runs.iter().map(|run| {
            let last = run["messages"].as_array().unwrap().last().unwrap();
            json!([run["topic"], run["partition"], run["epoch"], last["offset"]])
        });
        assert_eq!(Vec::from_iter(found), Vec::from_iter(packed));
        assert_eq!(Vec::from_iter(places), Vec::from_iter(ends));
    }
}
