//! SASL/OAUTHBEARER's callback: the way of a token into its client.

use std::ffi::{c_char, c_void};
use std::ptr::NonNull;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use parking_lot::Mutex;

use super::callbacks::Callbacks;
use super::{c_string, rd, text};
use crate::error::{Error, Result};
use crate::reply::{fence, Reply};
use crate::token::{Token, TokenProvider};

/// Whom to ask, and where the answer goes. Answers hold the door only, never the client, so that who answers late cannot
/// become the one who destroys it.
pub(super) struct Asking {
    provider: TokenProvider,
    door: Arc<Door>,
}

/// The client while it is alive.
#[derive(Default)]
struct Door(Mutex<Option<NonNull<rd::rd_kafka_t>>>);

// SAFETY: librdkafka's client may be used by any thread; the lock keeps it alive meanwhile.
unsafe impl Send for Door {}
// SAFETY: as above.
unsafe impl Sync for Door {}

impl Asking {
    pub(super) fn new(provider: TokenProvider) -> Self {
        Self { provider, door: Arc::default() }
    }

    /// From now on librdkafka's background thread asks the provider.
    ///
    /// # Safety
    /// The client is alive until `close`.
    pub(super) unsafe fn open(&self, client: *mut rd::rd_kafka_t) -> Result<()> {
        *self.door.0.lock() = NonNull::new(client);
        // SAFETY: alive.
        super::check_error(unsafe { rd::rd_kafka_sasl_background_callbacks_enable(client) })
            .map_err(|_| Error::config("a token provider is of use with property 'sasl.mechanism' OAUTHBEARER only"))
    }

    /// The client is about to be destroyed: answers that come later go nowhere.
    pub(super) fn close(&self) {
        *self.door.0.lock() = None;
    }
}

impl Door {
    /// Hands the token over, or the reason why there is none: librdkafka tells that as an `_AUTHENTICATION` error.
    fn answer(&self, token: Result<Token>) {
        let client = self.0.lock();
        let Some(client) = *client else { return };
        // SAFETY: alive under the lock; the texts are terminated and copied.
        let taken = token.and_then(|token| unsafe { set(client.as_ptr(), &token) });
        if let Err(error) = taken {
            let reason = c_string("the reason", &error.message.replace('\0', " ")).unwrap_or_default();
            // SAFETY: as above. It fails for a client without OAUTHBEARER only, which asks for no token.
            unsafe { rd::codes::rd_kafka_oauthbearer_set_token_failure(client.as_ptr(), reason.as_ptr()) };
        }
    }
}

/// # Safety
/// The client is alive.
unsafe fn set(client: *mut rd::rd_kafka_t, token: &Token) -> Result<()> {
    // librdkafka would quote it in its refusal.
    if !token.value.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Error::no_token("the token has characters that are not printable ASCII"));
    }
    let value = c_string("the token", &token.value)?;
    let principal = c_string("the token's principal", &token.principal)?;
    let mut extensions = Vec::new();
    for (name, value) in &token.extensions {
        extensions.push(c_string("a SASL extension", name)?);
        extensions.push(c_string("a SASL extension", value)?);
    }
    let mut extensions: Vec<_> = extensions.iter().map(|text| text.as_ptr()).collect();
    let since_1970 = token.expires.duration_since(UNIX_EPOCH).unwrap_or_default();
    // librdkafka counts in microseconds of 64 bits.
    let expires = i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX).min(i64::MAX / 1000);
    let mut reason = [0 as c_char; 512];
    // SAFETY: the client is alive; all texts are terminated and live for the call; lengths are the true ones.
    let code = unsafe {
        rd::codes::rd_kafka_oauthbearer_set_token(
            client,
            value.as_ptr(),
            expires,
            principal.as_ptr(),
            extensions.as_mut_ptr(),
            extensions.len(),
            reason.as_mut_ptr(),
            reason.len(),
        )
    };
    match code {
        0 => Ok(()),
        _ => Err(Error::no_token(text(reason.as_ptr()))),
    }
}

/// Runs on librdkafka's background thread.
pub(super) unsafe extern "C" fn on_refresh(_client: *mut rd::rd_kafka_t, _config: *const c_char, opaque: *mut c_void) {
    fence(|| {
        // SAFETY: the client's callbacks, which outlive it.
        let Some(asking) = &unsafe { Callbacks::of(opaque) }.asking else { return };
        let door = asking.door.clone();
        asking.provider.ask(Reply::new(move |token| door.answer(token)));
    });
}
