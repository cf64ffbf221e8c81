//! Node-API set-up of the build.

fn main() {
    napi_build::setup();
    // A library that is unloaded while librdkafka's threads end would take their code away.
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
}
