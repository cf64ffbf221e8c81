//! How far the threads of this library, its own and librdkafka's, stand back behind those of the program.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicI32, Ordering};
use std::thread::Builder;

static NICENESS: AtomicI32 = AtomicI32::new(0);

/// The niceness of the threads of clients that are made from now on: 0 (the default: as urgent as the thread that makes
/// the client) to 19 (last, where others want the same processor). On Linux; elsewhere threads have no niceness of their
/// own, and nothing happens.
///
/// For programs with one thread that has to answer. It takes nothing from the clients while a processor is free.
pub fn set_thread_niceness(niceness: i32) {
    NICENESS.store(niceness.clamp(0, 19), Ordering::Relaxed);
}

/// On a thread of this library, when it begins.
pub(crate) fn stand_back() {
    let niceness = NICENESS.load(Ordering::Relaxed);
    #[cfg(target_os = "linux")]
    // SAFETY: they take numbers; on Linux 0 is the calling thread. One that is nicer already, because who made it is, stays so.
    unsafe {
        if niceness > 0 && niceness > libc::getpriority(libc::PRIO_PROCESS, 0) {
            libc::setpriority(libc::PRIO_PROCESS, 0, niceness);
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = niceness;
}

/// Calls `make` on a thread that stands back, and waits for it: the threads that it starts have its niceness, as have
/// those that they start.
pub(super) fn with_nice_threads<T: Send>(make: impl Fn() -> T + Sync) -> T {
    if NICENESS.load(Ordering::Relaxed) == 0 || !cfg!(target_os = "linux") {
        return make();
    }
    let nice = || {
        stand_back();
        make()
    };
    std::thread::scope(|scope| match Builder::new().name("kafka-new".into()).spawn_scoped(scope, nice) {
        Ok(thread) => thread.join().unwrap_or_else(|panic| resume_unwind(panic)),
        Err(_) => make(),
    })
}
