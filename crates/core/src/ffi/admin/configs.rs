//! Configurations.

use super::*;
use crate::requests::{AlterConfigs, ConfigEntry, ConfigKind, ConfigResource, ConfigResult, DescribeConfigs, Named};

fn resource(
    resources: &mut Objects<rd::rd_kafka_ConfigResource_t>,
    of: &ConfigResource,
) -> Result<*mut rd::rd_kafka_ConfigResource_t> {
    let name = c_string("the resource", &of.name)?;
    // SAFETY: the name is copied; null only for an empty name.
    resources.make(|_, _| unsafe { rd::codes::rd_kafka_ConfigResource_new(of.kind.into(), name.as_ptr()) })
}

/// # Safety
/// The resources are alive for the call.
unsafe fn results<T>(
    resources: &[*const rd::rd_kafka_ConfigResource_t],
    value: impl Fn(*const rd::rd_kafka_ConfigResource_t) -> T,
) -> Vec<ConfigResult<T>> {
    // SAFETY: the caller's promise; texts are copied.
    let one = |resource: &*const rd::rd_kafka_ConfigResource_t| unsafe {
        let code = rd::codes::rd_kafka_ConfigResource_error(*resource);
        let error = item_error(code, rd::rd_kafka_ConfigResource_error_string(*resource));
        let kind = rd::codes::rd_kafka_ConfigResource_type(*resource).into();
        let name = text(rd::rd_kafka_ConfigResource_name(*resource));
        let result = error.map(|()| value(*resource)).map_err(|mut error| {
            error.topic = Some(name.clone()).filter(|_| kind == ConfigKind::Topic);
            error
        });
        ConfigResult { kind, item: Named { name, result } }
    };
    resources.iter().map(one).collect()
}

impl Operation for DescribeConfigs {
    type Answer = Vec<ConfigResult<Vec<ConfigEntry>>>;
    const CODE: rd::rd_kafka_admin_op_t = rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS;
    const EVENT: i32 = rd::RD_KAFKA_EVENT_DESCRIBECONFIGS_RESULT;

    fn start(&self, call: &Call) -> Result<()> {
        let mut resources = Objects::new(rd::rd_kafka_ConfigResource_destroy);
        for of in &self.resources {
            resource(&mut resources, of)?;
        }
        let (resources, count) = resources.array();
        // SAFETY: all are alive; the resources are copied.
        unsafe { rd::rd_kafka_DescribeConfigs(call.client, resources, count, call.options, call.queue) };
        Ok(())
    }

    unsafe fn read(&self, event: *mut rd::rd_kafka_event_t) -> Result<Self::Answer> {
        // SAFETY: the caller's promise; everything is the event's, and copied.
        Ok(unsafe {
            let result = rd::rd_kafka_event_DescribeConfigs_result(event);
            let resources = array(|count| rd::rd_kafka_DescribeConfigs_result_resources(result, count));
            results(resources, |resource| entries(array(|count| rd::rd_kafka_ConfigResource_configs(resource, count))))
        })
    }
}

/// # Safety
/// The entries are alive for the call.
unsafe fn entries(list: &[*const rd::rd_kafka_ConfigEntry_t]) -> Vec<ConfigEntry> {
    // SAFETY: the caller's promise; texts are copied. Synonyms have none of their own.
    let one = |entry: &*const rd::rd_kafka_ConfigEntry_t| unsafe {
        let value = rd::rd_kafka_ConfigEntry_value(*entry);
        ConfigEntry {
            name: text(rd::rd_kafka_ConfigEntry_name(*entry)),
            value: (!value.is_null()).then(|| text(value)),
            source: rd::codes::rd_kafka_ConfigEntry_source(*entry).into(),
            read_only: rd::rd_kafka_ConfigEntry_is_read_only(*entry) > 0,
            sensitive: rd::rd_kafka_ConfigEntry_is_sensitive(*entry) > 0,
            synonyms: match rd::rd_kafka_ConfigEntry_is_synonym(*entry) {
                0 => entries(array(|count| rd::rd_kafka_ConfigEntry_synonyms(*entry, count))),
                _ => Vec::new(),
            },
        }
    };
    list.iter().map(one).collect()
}

impl Operation for AlterConfigs {
    type Answer = Vec<ConfigResult<()>>;
    const CODE: rd::rd_kafka_admin_op_t = rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_INCREMENTALALTERCONFIGS;
    const EVENT: i32 = rd::RD_KAFKA_EVENT_INCREMENTALALTERCONFIGS_RESULT;

    fn start(&self, call: &Call) -> Result<()> {
        let mut resources = Objects::new(rd::rd_kafka_ConfigResource_destroy);
        for altered in &self.resources {
            let resource = resource(&mut resources, &altered.resource)?;
            for entry in &altered.entries {
                let name = c_string("a property", &entry.name)?;
                let value = entry.value.as_ref().map(|value| c_string(&entry.name, value)).transpose()?;
                let value = value.as_ref().map_or(std::ptr::null(), |value| value.as_ptr());
                // SAFETY: both are copied; the error is taken.
                check_error(unsafe {
                    rd::codes::rd_kafka_ConfigResource_add_incremental_config(
                        resource,
                        name.as_ptr(),
                        entry.operation as i32,
                        value,
                    )
                })?;
            }
        }
        if self.validate_only {
            call.validate_only();
        }
        let (resources, count) = resources.array();
        // SAFETY: all are alive; the resources are copied.
        unsafe { rd::rd_kafka_IncrementalAlterConfigs(call.client, resources, count, call.options, call.queue) };
        Ok(())
    }

    unsafe fn read(&self, event: *mut rd::rd_kafka_event_t) -> Result<Self::Answer> {
        // SAFETY: the caller's promise; everything is the event's, and copied.
        Ok(unsafe {
            let result = rd::rd_kafka_event_IncrementalAlterConfigs_result(event);
            results(array(|count| rd::rd_kafka_IncrementalAlterConfigs_result_resources(result, count)), |_| ())
        })
    }
}
