//! Finding out what partitions a topic has: on the helper thread, again and again while it can heal.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::error::{code, is_retriable, Error, ErrorKind, Result};
use crate::ffi::{error_text, Client};
use crate::helper::{deadline, Closing, Retry};
use crate::reply::closed;
use crate::trouble::{Guarded, Troubles};

/// The times that one question to the cluster is given; a client that closes waits for the one under way.
const LEAST: Duration = Duration::from_secs(1);
const MOST: Duration = Duration::from_secs(3);

/// Asks once.
pub(crate) fn partitions_once(client: &Arc<Client>, topic: &str, timeout: Duration) -> Result<Vec<i32>> {
    let handle = client.topic(topic)?;
    let metadata = client.metadata(&handle, timeout).and_then(|metadata| match metadata.error {
        0 => Ok(metadata),
        code => Err(Error::kafka(code, error_text(code))),
    });
    metadata.map(|metadata| metadata.partitions).map_err(|mut error| {
        error.topic = Some(topic.to_owned());
        error
    })
}

/// Asks until there is an answer. Only what can heal is tried again; the last failure says what stood in the way.
pub(crate) fn partitions<T: Send + 'static>(
    client: &Arc<Client>,
    topic: &str,
    retry: Retry,
    troubles: &Troubles,
    closing: &Closing,
    waiting: &Guarded<T>,
) -> Result<Vec<i32>> {
    let begin = Instant::now();
    let mut tries = 0;
    loop {
        let next = deadline(retry.interval);
        let error = match partitions_once(client, topic, retry.interval.clamp(LEAST, MOST)) {
            Ok(partitions) => {
                troubles.healed(|healthy, partition| healthy == topic && partition.is_none());
                return Ok(partitions);
            }
            Err(error) => error,
        };
        tries += 1;
        if !is_retriable(error.code) {
            return Err(error);
        }
        if waiting.answered() || closing.begun() {
            return Err(closed());
        }
        // A lost connection is what this call saw; why it was lost came on the side, maybe before this call.
        let lost = matches!(error.code, -195 | -185 | -187);
        if let Some(refusal) = troubles.refusal().filter(|_| lost) {
            return Err(refusal);
        }
        if tries >= retry.max_tries {
            let cause = troubles.last().filter(|_| lost).unwrap_or(error);
            let text = format!(
                "topic '{topic}' could not be looked up in {tries} tries over {:.1} s",
                begin.elapsed().as_secs_f64()
            );
            return Err(Error::new(ErrorKind::Timeout, code::TIMED_OUT, text).because(cause));
        }
        if closing.wait_until(next) {
            return Err(closed());
        }
    }
}
