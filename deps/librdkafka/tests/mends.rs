//! The mended files are the ones that are linked.

use std::collections::BTreeSet;
use std::ffi::{c_char, c_void, CStr};
use std::path::Path;

use kafka_native_librdkafka as rd;

// Written by the build, which puts a text into every mended file: the names of its patches. `mends!()` points at all of them.
include!(concat!(env!("OUT_DIR"), "/mends.rs"));

#[test]
fn every_patch_is_in_the_linked_librdkafka() {
    // SAFETY: strings that end with a zero, in the mended files. A linker that took librdkafka's own file besides would refuse
    // all that both define.
    let linked = unsafe { mends!().map(|mends| CStr::from_ptr(mends)) };
    let linked: BTreeSet<&str> = linked.iter().flat_map(|mends| mends.to_str().unwrap().split(' ')).collect();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("patches");
    let patches: BTreeSet<String> = folder
        .read_dir()
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .map(|name| name.strip_suffix(".patch").expect("patches has patches only").to_owned())
        .collect();
    assert_eq!(linked, patches.iter().map(String::as_str).collect());
}

#[test]
fn a_configuration_with_interceptors_outlives_a_client_that_cannot_be_made() {
    unsafe extern "C" fn on_new(
        _client: *mut rd::rd_kafka_t,
        _conf: *const rd::rd_kafka_conf_t,
        _opaque: *mut c_void,
        _reason: *mut c_char,
        _length: usize,
    ) -> rd::rd_kafka_resp_err_t {
        rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR
    }
    let mut reason = [0 as c_char; 256];
    // SAFETY: the configuration is ours again where the client could not be made; names and values are constants.
    unsafe {
        let conf = rd::rd_kafka_conf_new();
        for (name, value) in [(c"security.protocol", c"ssl"), (c"ssl.ca.location", c"/no/such/file")] {
            rd::rd_kafka_conf_set(conf, name.as_ptr(), value.as_ptr(), reason.as_mut_ptr(), reason.len());
        }
        let added =
            rd::rd_kafka_conf_interceptor_add_on_new(conf, c"test".as_ptr(), Some(on_new), std::ptr::null_mut());
        assert_eq!(added as i32, 0);
        let kind = rd::rd_kafka_type_t::RD_KAFKA_PRODUCER;
        assert!(rd::rd_kafka_new(kind, conf, reason.as_mut_ptr(), reason.len()).is_null());
        rd::rd_kafka_conf_destroy(conf);
    }
}
