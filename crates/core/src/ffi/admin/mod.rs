//! librdkafka's Admin API: requests that are answered by an event. One file a noun, as in `crate::requests`.

mod access;
mod configs;
mod groups;
mod log;
mod topics;

use std::ffi::{c_char, c_void};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{c_string, check_error, millis, rd, text, Client, Event, Partitions, Queue};
use crate::code;
use crate::error::{Error, Result};
use crate::requests::{Node, Placed};

/// A request of the Admin API.
pub trait Operation: Send + 'static {
    /// Its answer.
    type Answer: Send + 'static;
    /// librdkafka's kind of options.
    #[doc(hidden)]
    const CODE: rd::rd_kafka_admin_op_t;
    /// librdkafka's kind of event.
    #[doc(hidden)]
    const EVENT: i32;

    /// The topics that must be described before: what librdkafka heard of them earlier may be out of date, and it would not
    /// ask again.
    #[doc(hidden)]
    fn topics(&self) -> Vec<String> {
        Vec::new()
    }

    /// Makes the request; librdkafka copies what it is given.
    #[doc(hidden)]
    fn start(&self, call: &Call) -> Result<()>;

    /// Copies the answer.
    ///
    /// # Safety
    /// The event is one of this kind, without an error.
    #[doc(hidden)]
    unsafe fn read(&self, event: *mut rd::rd_kafka_event_t) -> Result<Self::Answer>;

    /// An answer out of an error of the request as a whole, where that is really one of its items.
    #[doc(hidden)]
    fn failed(&self, error: Error) -> Result<Self::Answer> {
        Err(error)
    }
}

/// librdkafka takes no longer time.
const MOST: Duration = Duration::from_secs(60 * 60);

/// Handles that every request is made with; alive while `start` runs.
pub struct Call {
    client: *mut rd::rd_kafka_t,
    queue: *mut rd::rd_kafka_queue_t,
    options: *mut rd::rd_kafka_AdminOptions_t,
}

impl Call {
    fn validate_only(&self) {
        let mut reason = [0 as c_char; 512];
        // SAFETY: the options are alive; `reason` has the length that is told. Only used where the option exists.
        unsafe {
            rd::rd_kafka_AdminOptions_set_validate_only(self.options, 1, reason.as_mut_ptr(), reason.len());
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        // SAFETY: ours, destroyed once.
        unsafe { rd::rd_kafka_AdminOptions_destroy(self.options) }
    }
}

impl Client {
    /// Makes a request, whose answer comes to `queue` with `opaque`.
    pub(crate) fn start<O: Operation>(
        &self,
        operation: &O,
        timeout: Duration,
        queue: &Queue,
        opaque: usize,
    ) -> Result<()> {
        let timeout_ms = millis(timeout.min(MOST));
        let mut reason = [0 as c_char; 512];
        // SAFETY: the client is alive. The operation time-out exists for some requests only; its refusal changes nothing.
        let call = unsafe {
            let options = rd::rd_kafka_AdminOptions_new(self.raw(), O::CODE);
            rd::rd_kafka_AdminOptions_set_request_timeout(options, timeout_ms, reason.as_mut_ptr(), reason.len());
            rd::rd_kafka_AdminOptions_set_operation_timeout(options, timeout_ms, reason.as_mut_ptr(), reason.len());
            rd::rd_kafka_AdminOptions_set_opaque(options, opaque as *mut c_void);
            Call { client: self.raw(), queue: queue.raw(), options }
        };
        operation.start(&call)
    }

    /// Makes a request of a client that is busy with other things, and waits for its answer.
    pub(crate) fn ask<O: Operation>(self: &Arc<Self>, operation: &O, timeout: Duration) -> Result<O::Answer> {
        let queue = self.new_queue();
        self.start(operation, timeout, &queue, 0)?;
        let deadline = Instant::now() + timeout.min(MOST);
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match queue.poll(left) {
                Some(event) => return answer(operation, &event),
                None if left.is_zero() => return Err(Error::of(code::TIMED_OUT)),
                None => {}
            }
        }
    }
}

/// How a request ended.
pub(crate) fn answer<O: Operation>(operation: &O, event: &Event<'_>) -> Result<O::Answer> {
    if let Some(error) = event.error() {
        return operation.failed(error);
    }
    if event.kind() != O::EVENT {
        return Err(Error::kafka(code::FAIL, format!("an answer of kind {}", event.kind())));
    }
    // SAFETY: checked.
    unsafe { operation.read(event.raw()) }
}

/// C's objects of one request.
struct Objects<T> {
    raw: Vec<*mut T>,
    destroy: unsafe extern "C" fn(*mut T),
}

impl<T> Objects<T> {
    /// `destroy` frees one.
    fn new(destroy: unsafe extern "C" fn(*mut T)) -> Self {
        Self { raw: Vec::new(), destroy }
    }

    /// Takes what `make` makes, which is null when it cannot and has written why.
    fn make(&mut self, make: impl FnOnce(*mut c_char, usize) -> *mut T) -> Result<*mut T> {
        let mut reason = [0 as c_char; 512];
        let object = make(reason.as_mut_ptr(), reason.len());
        if object.is_null() {
            return Err(Error::config(text(reason.as_ptr())));
        }
        self.raw.push(object);
        Ok(object)
    }

    fn array(&mut self) -> (*mut *mut T, usize) {
        (self.raw.as_mut_ptr(), self.raw.len())
    }
}

impl<T> Drop for Objects<T> {
    fn drop(&mut self) {
        for object in &self.raw {
            // SAFETY: ours, destroyed once, with its own destructor.
            unsafe { (self.destroy)(*object) }
        }
    }
}

/// Runs what writes a reason when it fails.
fn reasoned(call: impl FnOnce(*mut c_char, usize) -> i32) -> Result<()> {
    let mut reason = [0 as c_char; 512];
    match call(reason.as_mut_ptr(), reason.len()) {
        0 => Ok(()),
        _ => Err(Error::config(text(reason.as_ptr()))),
    }
}

/// An array of C's and its length, as it is given with a count to be written.
///
/// # Safety
/// `get` returns an array of as many elements as it writes, which live for `'a`.
unsafe fn array<'a, T>(get: impl FnOnce(&mut usize) -> *mut *const T) -> &'a [*const T] {
    let mut count = 0;
    let elements = get(&mut count);
    if count == 0 {
        return &[];
    }
    // SAFETY: the caller's promise.
    unsafe { std::slice::from_raw_parts(elements, count) }
}

/// A code with a text, which may be empty, or end before it says anything.
fn item_error(code: i32, message: *const c_char) -> Result<()> {
    let mut message = text(message);
    if message.is_empty() || message.ends_with(": ") {
        message.push_str(&code::text(code));
    }
    match code {
        0 => Ok(()),
        code => Err(Error::kafka(code, message)),
    }
}

/// An error object that belongs to somebody else; null for none.
///
/// # Safety
/// Null or valid for the call.
unsafe fn borrowed_error(error: *const rd::rd_kafka_error_t) -> Result<()> {
    // SAFETY: the caller's promise; the text is copied.
    unsafe {
        match error.is_null() {
            true => Ok(()),
            false => item_error(rd::codes::rd_kafka_error_code(error), rd::rd_kafka_error_string(error)),
        }
    }
}

/// The result of each partition of a list, with what `value` makes of those that did not fail.
///
/// # Safety
/// Null or a valid list for the call.
unsafe fn placed<T>(
    list: *const rd::rd_kafka_topic_partition_list_t,
    value: impl Fn(&rd::rd_kafka_topic_partition_t) -> T,
) -> Vec<Placed<T>> {
    if list.is_null() {
        return Vec::new();
    }
    // SAFETY: the caller's promise: `cnt` elements.
    (0..unsafe { (*list).cnt } as usize)
        .map(|i| unsafe {
            let element = &*(*list).elems.add(i);
            // SAFETY: read as an integer, because a newer broker's code is not in the enum.
            let code = std::ptr::addr_of!(element.err).cast::<i32>().read();
            place(element, item_error(code, std::ptr::null()).map(|()| value(element)))
        })
        .collect()
}

/// # Safety
/// The element is valid.
unsafe fn place<T>(element: &rd::rd_kafka_topic_partition_t, result: Result<T>) -> Placed<T> {
    let (topic, partition) = (text(element.topic), element.partition);
    let result = result.map_err(|mut error| {
        (error.topic, error.partition) = (Some(topic.clone()), Some(partition));
        error
    });
    Placed { topic, partition, result }
}

/// # Safety
/// Null or valid for the call.
unsafe fn node(node: *const rd::rd_kafka_Node_t) -> Option<Node> {
    if node.is_null() {
        return None;
    }
    // SAFETY: the caller's promise; strings are copied.
    unsafe {
        let rack = rd::rd_kafka_Node_rack(node);
        Some(Node {
            id: rd::rd_kafka_Node_id(node),
            host: text(rd::rd_kafka_Node_host(node)),
            port: rd::rd_kafka_Node_port(node),
            rack: (!rack.is_null()).then(|| text(rack)),
        })
    }
}

/// A list of partitions with an offset each.
fn partitions<'a>(of: impl IntoIterator<Item = (&'a String, i32, i64)>) -> Result<Partitions> {
    Partitions::list(of.into_iter().map(|(topic, partition, offset)| (topic.as_str(), partition, offset)))
}
