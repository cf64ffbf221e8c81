//! configure leaves out in silence what it does not find, so what the package promises is asserted here.

use std::ffi::{c_char, CStr};

use kafka_native_librdkafka as rd;

#[test]
fn the_linked_librdkafka_is_the_vendored_version() {
    // SAFETY: takes no arguments and reads a constant.
    let version = unsafe { rd::rd_kafka_version() };
    assert_eq!(version, rd::LIBRDKAFKA_VERSION, "0x{version:08x}");
}

#[test]
fn every_promised_feature_is_built_in() {
    let mut value = [0 as c_char; 512];
    let mut size = value.len();
    // SAFETY: the configuration is destroyed below; `size` is the length of `value`, which librdkafka terminates.
    let features = unsafe {
        let conf = rd::rd_kafka_conf_new();
        let result = rd::rd_kafka_conf_get(conf, c"builtin.features".as_ptr(), value.as_mut_ptr(), &mut size);
        assert_eq!(result as i32, rd::rd_kafka_conf_res_t::RD_KAFKA_CONF_OK as i32);
        rd::rd_kafka_conf_destroy(conf);
        CStr::from_ptr(value.as_ptr()).to_str().unwrap().to_owned()
    };
    let features: Vec<&str> = features.split(',').collect();
    for wanted in ["gzip", "snappy", "lz4", "zstd", "ssl", "sasl_plain", "sasl_scram", "sasl_oauthbearer", "plugins"] {
        assert!(features.contains(&wanted), "{wanted} is missing from {features:?}");
    }
}
