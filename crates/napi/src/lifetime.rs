//! The clients of an environment, and their end with it.

use std::cell::RefCell;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use napi::Env;

/// How long the end of an environment (a worker that ends, a loop that runs dry) may wait for its clients, and a client that was
/// collected may take for its own.
pub(crate) const DEADLINE: Duration = Duration::from_millis(500);

/// A client that ends with its environment.
pub(crate) trait Client: Send + Sync {
    /// Begins the end, without waiting.
    fn signal(&self, deadline: Duration);
    /// Waits for the client's thread; false when it has not ended in time.
    fn join(&self, deadline: Duration) -> bool;
}

thread_local! {
    // One environment a thread; no JavaScript value is in it.
    static CLIENTS: RefCell<Option<Vec<Weak<dyn Client>>>> = const { RefCell::new(None) };
}

/// Ends the client with its environment.
pub(crate) fn register(env: &Env, client: &Arc<impl Client + 'static>) -> napi::Result<()> {
    let client: Arc<dyn Client> = client.clone();
    let first = CLIENTS.with_borrow_mut(|clients| {
        let first = clients.is_none();
        let clients = clients.get_or_insert_default();
        clients.retain(|client| client.strong_count() > 0);
        clients.push(Arc::downgrade(&client));
        first
    });
    if first {
        env.add_env_cleanup_hook((), |()| {
            close_all(DEADLINE);
        })?;
    }
    Ok(())
}

/// Signals all clients of this thread's environment, then waits for them together. Returns how many have not ended in time.
pub(crate) fn close_all(deadline: Duration) -> usize {
    let clients = CLIENTS.with_borrow_mut(Option::take).unwrap_or_default();
    let clients: Vec<_> = clients.iter().filter_map(Weak::upgrade).collect();
    let end = Instant::now() + deadline;
    for client in &clients {
        client.signal(deadline);
    }
    clients.iter().filter(|client| !client.join(end.saturating_duration_since(Instant::now()))).count()
}
