//! `rd_kafka_topic_t`, and handing messages to librdkafka.

use std::ffi::{c_char, c_void};
use std::marker::PhantomData;
use std::sync::Arc;

use super::{c_string, check_error, rd, text, Client};
use crate::error::{Error, Result};

/// A local topic handle. Making one starts librdkafka's interest in the topic; cached by its users.
pub(crate) struct Topic {
    raw: *mut rd::rd_kafka_topic_t,
    client: Arc<Client>,
}

// SAFETY: topic handles lock themselves; any thread may use them.
unsafe impl Send for Topic {}
// SAFETY: as above.
unsafe impl Sync for Topic {}

/// One message to be sent; everything is copied by librdkafka.
pub(crate) struct Outgoing<'a> {
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: Option<&'a [u8]>,
    /// Comes back with the delivery report.
    pub(crate) opaque: usize,
}

impl Outgoing<'_> {
    /// The bytes of key and value.
    pub(crate) fn size(&self) -> usize {
        self.key.map_or(0, <[u8]>::len) + self.value.map_or(0, <[u8]>::len)
    }
}

/// The array that `rd_kafka_produce_batch` reads: messages that go to librdkafka in one call. Their bytes are borrowed.
pub(crate) struct ProduceBatch<'a> {
    messages: Vec<rd::rd_kafka_message_t>,
    bytes: PhantomData<&'a [u8]>,
}

impl<'a> ProduceBatch<'a> {
    pub(crate) fn push(&mut self, message: &Outgoing<'a>) {
        let (key, key_len) = pointer(message.key);
        let (payload, len) = pointer(message.value);
        self.messages.push(rd::rd_kafka_message_t {
            err: rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR,
            rkt: std::ptr::null_mut(),
            partition: 0,
            payload,
            len,
            key,
            key_len,
            offset: 0,
            _private: message.opaque as *mut c_void,
        });
    }

    /// Takes all messages out, with their sizes and opaques.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = (usize, usize)> + '_ {
        self.messages.drain(..).map(|message| outline(&message))
    }
}

/// The bytes that count against the producer's budget, and the opaque.
fn outline(message: &rd::rd_kafka_message_t) -> (usize, usize) {
    (message.key_len + message.len, message._private as usize)
}

/// The memory of a [`ProduceBatch`], kept between calls.
#[derive(Default)]
pub(crate) struct ProduceMemory(Vec<rd::rd_kafka_message_t>);

// SAFETY: it is empty.
unsafe impl Send for ProduceMemory {}

impl ProduceMemory {
    pub(crate) fn batch<'a>(&mut self) -> ProduceBatch<'a> {
        ProduceBatch { messages: std::mem::take(&mut self.0), bytes: PhantomData }
    }

    pub(crate) fn keep(&mut self, mut batch: ProduceBatch<'_>) {
        batch.messages.clear();
        self.0 = batch.messages;
    }
}

/// Keeps the messages of one send together: see [`Hold::begin`].
pub(crate) struct Hold(*mut rd::rd_kafka_hold_t);

// SAFETY: between two sends it is memory that nobody else has.
unsafe impl Send for Hold {}

impl Default for Hold {
    fn default() -> Self {
        // SAFETY: takes no arguments; aborts when there is no memory.
        Self(unsafe { rd::rd_kafka_hold_new() })
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        // SAFETY: ours, destroyed once; what begins ends before, since it borrows the hold.
        unsafe { rd::rd_kafka_hold_destroy(self.0) }
    }
}

impl Hold {
    /// Until what is returned is dropped, this thread's messages to the topic wait, and then go into the queues of their partitions
    /// together: without, a broker's thread takes the first of them alone, and when that request is tried again they are
    /// behind the others. As many as a request takes wait for no more.
    ///
    /// One at a time: librdkafka aborts the process otherwise.
    pub(crate) fn begin(&self, topic: &Topic) -> Held<'_> {
        // SAFETY: the topic is alive, and kept by the hold.
        unsafe { rd::rd_kafka_hold_begin(self.0, topic.raw) };
        Held { hold: self, here: PhantomData }
    }
}

/// A [`Hold`] that began; ends when it is dropped, on the thread where it began.
pub(crate) struct Held<'a> {
    hold: &'a Hold,
    here: PhantomData<*const ()>,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        // SAFETY: it began on this thread, which it cannot leave, and ends once.
        unsafe { rd::rd_kafka_hold_end(self.hold.0) }
    }
}

impl Topic {
    pub(super) fn new(client: &Arc<Client>, name: &str, properties: &[(String, String)]) -> Result<Self> {
        let c_name = c_string("the topic", name)?;
        let conf = match properties {
            [] => std::ptr::null_mut(),
            properties => topic_conf(client, properties)?,
        };
        // SAFETY: the client is alive and takes the configuration, also when it fails; null means its default for topics.
        let raw = unsafe { rd::rd_kafka_topic_new(client.raw(), c_name.as_ptr(), conf) };
        if raw.is_null() {
            // SAFETY: reads this thread's last error.
            let code = unsafe { rd::codes::rd_kafka_last_error() };
            let mut error = Error::of(code);
            error.topic = Some(name.to_owned());
            return Err(error);
        }
        Ok(Self { raw, client: client.clone() })
    }

    pub(super) fn raw(&self) -> *mut rd::rd_kafka_topic_t {
        self.raw
    }

    /// The `Message::topic_id` of this topic's messages.
    pub(crate) fn id(&self) -> usize {
        self.raw as usize
    }

    /// Hands over messages of one partition (-1 = the partitioner's choice) in order, and takes them out of the batch. `refused`
    /// is called with the size, the opaque and the code of each that librdkafka does not take.
    ///
    /// Not with a partition for each message (`RD_KAFKA_MSG_F_PARTITION`): librdkafka forgets those whose partition
    /// does not exist, and counts them as under way for ever.
    pub(crate) fn produce(
        &self,
        partition: i32,
        batch: &mut ProduceBatch<'_>,
        mut refused: impl FnMut(usize, usize, i32),
    ) {
        let messages = &mut batch.messages;
        // SAFETY: the topic is alive; the messages, whose bytes are borrowed, are copied before the call returns.
        let taken = unsafe {
            rd::rd_kafka_produce_batch(
                self.raw,
                partition,
                rd::RD_KAFKA_MSG_F_COPY,
                messages.as_mut_ptr(),
                messages.len() as i32,
            )
        };
        if taken as usize != messages.len() {
            for message in messages.iter() {
                // SAFETY: our own element; read as an integer because librdkafka wrote it.
                let code = unsafe { std::ptr::addr_of!(message.err).cast::<i32>().read() };
                if code != 0 {
                    let (size, opaque) = outline(message);
                    refused(size, opaque, code);
                }
            }
        }
        messages.clear();
    }

    /// Hands over one message with headers (name, value) and a timestamp in milliseconds (0 = now).
    pub(crate) fn produce_one<'a>(
        &self,
        partition: i32,
        message: &Outgoing<'_>,
        timestamp: i64,
        headers: impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)>,
    ) -> Result<()> {
        use rd::rd_kafka_vtype_t as Kind;
        let (key, key_len) = pointer(message.key);
        let (value, value_len) = pointer(message.value);
        let memory = |ptr, size| rd::rd_kafka_vu_s__bindgen_ty_1 {
            mem: rd::rd_kafka_vu_s__bindgen_ty_1__bindgen_ty_1 { ptr, size },
        };
        // SAFETY: the header list is ours until produceva took it, which it does only when it succeeds; names and values
        // are copied into it. Every element's union field is the one that its kind reads, and all pointers outlive the call.
        unsafe {
            let list = rd::rd_kafka_headers_new(4);
            for (name, value) in headers {
                let (value, size) = pointer(value);
                rd::rd_kafka_header_add(list, name.as_ptr().cast(), name.len() as isize, value, size as isize);
            }
            let arguments = [
                rd::rd_kafka_vu_t {
                    vtype: Kind::RD_KAFKA_VTYPE_RKT,
                    u: rd::rd_kafka_vu_s__bindgen_ty_1 { rkt: self.raw },
                },
                rd::rd_kafka_vu_t {
                    vtype: Kind::RD_KAFKA_VTYPE_PARTITION,
                    u: rd::rd_kafka_vu_s__bindgen_ty_1 { i32_: partition },
                },
                rd::rd_kafka_vu_t {
                    vtype: Kind::RD_KAFKA_VTYPE_MSGFLAGS,
                    u: rd::rd_kafka_vu_s__bindgen_ty_1 { i: rd::RD_KAFKA_MSG_F_COPY },
                },
                rd::rd_kafka_vu_t { vtype: Kind::RD_KAFKA_VTYPE_VALUE, u: memory(value, value_len) },
                rd::rd_kafka_vu_t { vtype: Kind::RD_KAFKA_VTYPE_KEY, u: memory(key, key_len) },
                rd::rd_kafka_vu_t {
                    vtype: Kind::RD_KAFKA_VTYPE_OPAQUE,
                    u: rd::rd_kafka_vu_s__bindgen_ty_1 { ptr: message.opaque as *mut c_void },
                },
                rd::rd_kafka_vu_t {
                    vtype: Kind::RD_KAFKA_VTYPE_TIMESTAMP,
                    u: rd::rd_kafka_vu_s__bindgen_ty_1 { i64_: timestamp },
                },
                rd::rd_kafka_vu_t {
                    vtype: Kind::RD_KAFKA_VTYPE_HEADERS,
                    u: rd::rd_kafka_vu_s__bindgen_ty_1 { headers: list },
                },
            ];
            let result = check_error(rd::rd_kafka_produceva(self.client.raw(), arguments.as_ptr(), arguments.len()));
            if result.is_err() {
                rd::rd_kafka_headers_destroy(list);
            }
            result
        }
    }
}

/// The client's default for topics with these properties; the caller's to give away.
fn topic_conf(client: &Client, properties: &[(String, String)]) -> Result<*mut rd::rd_kafka_topic_conf_t> {
    let mut reason = [0 as c_char; 512];
    // SAFETY: the client is alive; the copy is ours, and destroyed when a property is refused.
    let conf = unsafe { rd::rd_kafka_default_topic_conf_dup(client.raw()) };
    let set = properties.iter().try_for_each(|(name, value)| {
        let (c_name, c_value) = (c_string("a property's name", name)?, c_string(name, value)?);
        // SAFETY: all strings are terminated; `reason` has the length that is told.
        let result = unsafe {
            rd::rd_kafka_topic_conf_set(conf, c_name.as_ptr(), c_value.as_ptr(), reason.as_mut_ptr(), reason.len())
        };
        match result as i32 == rd::rd_kafka_conf_res_t::RD_KAFKA_CONF_OK as i32 {
            true => Ok(()),
            false => Err(Error::config(format!("property '{name}': {}", text(reason.as_ptr())))),
        }
    });
    if let Err(error) = set {
        // SAFETY: ours, and not given away.
        unsafe { rd::rd_kafka_topic_conf_destroy(conf) };
        return Err(error);
    }
    Ok(conf)
}

/// Null for none; an empty slice keeps its (dangling, never read) pointer, which is how librdkafka tells empty from null.
fn pointer(bytes: Option<&[u8]>) -> (*mut c_void, usize) {
    bytes.map_or((std::ptr::null_mut(), 0), |bytes| (bytes.as_ptr().cast_mut().cast(), bytes.len()))
}

impl Drop for Topic {
    fn drop(&mut self) {
        // SAFETY: ours, destroyed once, while the client is alive.
        unsafe { rd::rd_kafka_topic_destroy(self.raw) }
    }
}
