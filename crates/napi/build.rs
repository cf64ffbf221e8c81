//! Node-API set-up of the build, and the addon's own allocator.

/// What `allocator.c` takes over from libc.
const ALLOCATOR: &[&str] = &["malloc", "calloc", "realloc", "free", "posix_memalign", "strdup", "strndup", "realpath"];

fn main() {
    napi_build::setup();
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        // A library that is unloaded while librdkafka's threads end would take their code away.
        println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
        cc::Build::new().file("allocator.c").compile("allocator");
        for name in ALLOCATOR {
            println!("cargo:rustc-cdylib-link-arg=-Wl,--wrap={name}");
        }
        println!("cargo:rerun-if-changed=allocator.c");
    }
}
