//! ACLs, and users with SCRAM credentials.

use std::ffi::CString;

use super::*;
use crate::requests::{
    Acl, AclFilter, AlterUsers, CreateAcls, DeleteAcls, DeletedAcl, DescribeAcls, DescribeUsers, Named, ScramCredential,
};

/// # Safety
/// Valid for the call.
unsafe fn acl(binding: *const rd::rd_kafka_AclBinding_t) -> Acl {
    // SAFETY: the caller's promise; texts are copied.
    unsafe {
        Acl {
            resource: rd::codes::rd_kafka_AclBinding_restype(binding).into(),
            name: text(rd::rd_kafka_AclBinding_name(binding)),
            pattern: rd::codes::rd_kafka_AclBinding_resource_pattern_type(binding).into(),
            principal: text(rd::rd_kafka_AclBinding_principal(binding)),
            host: text(rd::rd_kafka_AclBinding_host(binding)),
            operation: rd::codes::rd_kafka_AclBinding_operation(binding).into(),
            permission: rd::codes::rd_kafka_AclBinding_permission_type(binding).into(),
        }
    }
}

fn filter(
    filters: &mut Objects<rd::rd_kafka_AclBindingFilter_t>,
    of: &AclFilter,
) -> Result<*mut rd::rd_kafka_AclBindingFilter_t> {
    let optional = |what, value: &Option<String>| value.as_ref().map(|value| c_string(what, value)).transpose();
    let (name, principal) = (optional("the ACL's name", &of.name)?, optional("the principal", &of.principal)?);
    let host = optional("the host", &of.host)?;
    let pointer = |value: &Option<CString>| value.as_ref().map_or(std::ptr::null(), |value| value.as_ptr());
    // SAFETY: the strings are copied; null means every.
    filters.make(|reason, size| unsafe {
        rd::codes::rd_kafka_AclBindingFilter_new(
            of.resource.into(),
            pointer(&name),
            of.pattern.into(),
            pointer(&principal),
            pointer(&host),
            of.operation.into(),
            of.permission.into(),
            reason,
            size,
        )
    })
}

impl Operation for CreateAcls {
    type Answer = Vec<Result<()>>;
    const CODE: rd::rd_kafka_admin_op_t = rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_CREATEACLS;
    const EVENT: i32 = rd::RD_KAFKA_EVENT_CREATEACLS_RESULT;

    fn start(&self, call: &Call) -> Result<()> {
        let mut acls = Objects::new(rd::rd_kafka_AclBinding_destroy);
        for acl in &self.acls {
            let (name, principal) =
                (c_string("the ACL's name", &acl.name)?, c_string("the principal", &acl.principal)?);
            let host = c_string("the host", &acl.host)?;
            // SAFETY: the strings are copied.
            acls.make(|reason, size| unsafe {
                rd::codes::rd_kafka_AclBinding_new(
                    acl.resource.into(),
                    name.as_ptr(),
                    acl.pattern.into(),
                    principal.as_ptr(),
                    host.as_ptr(),
                    acl.operation.into(),
                    acl.permission.into(),
                    reason,
                    size,
                )
            })?;
        }
        let (acls, count) = acls.array();
        // SAFETY: all are alive; the ACLs are copied.
        unsafe { rd::rd_kafka_CreateAcls(call.client, acls, count, call.options, call.queue) };
        Ok(())
    }

    unsafe fn read(&self, event: *mut rd::rd_kafka_event_t) -> Result<Self::Answer> {
        // SAFETY: the caller's promise; everything is the event's, and copied.
        Ok(unsafe {
            let result = rd::rd_kafka_event_CreateAcls_result(event);
            array(|count| rd::rd_kafka_CreateAcls_result_acls(result, count))
                .iter()
                .map(|acl| borrowed_error(rd::rd_kafka_acl_result_error(*acl)))
                .collect()
        })
    }
}

impl Operation for DescribeAcls {
    type Answer = Vec<Acl>;
    const CODE: rd::rd_kafka_admin_op_t = rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBEACLS;
    const EVENT: i32 = rd::RD_KAFKA_EVENT_DESCRIBEACLS_RESULT;

    fn start(&self, call: &Call) -> Result<()> {
        let mut filters = Objects::new(rd::rd_kafka_AclBinding_destroy);
        let filter = filter(&mut filters, &self.filter)?;
        // SAFETY: all are alive; the filter is copied.
        unsafe { rd::rd_kafka_DescribeAcls(call.client, filter, call.options, call.queue) };
        Ok(())
    }

    unsafe fn read(&self, event: *mut rd::rd_kafka_event_t) -> Result<Self::Answer> {
        // SAFETY: the caller's promise; everything is the event's, and copied.
        Ok(unsafe {
            let result = rd::rd_kafka_event_DescribeAcls_result(event);
            let acls = array(|count| rd::rd_kafka_DescribeAcls_result_acls(result, count));
            acls.iter().map(|binding| acl(*binding)).collect()
        })
    }
}

impl Operation for DeleteAcls {
    type Answer = Vec<Result<Vec<DeletedAcl>>>;
    const CODE: rd::rd_kafka_admin_op_t = rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DELETEACLS;
    const EVENT: i32 = rd::RD_KAFKA_EVENT_DELETEACLS_RESULT;

    fn start(&self, call: &Call) -> Result<()> {
        let mut filters = Objects::new(rd::rd_kafka_AclBinding_destroy);
        for of in &self.filters {
            filter(&mut filters, of)?;
        }
        let (filters, count) = filters.array();
        // SAFETY: all are alive; the filters are copied.
        unsafe { rd::rd_kafka_DeleteAcls(call.client, filters, count, call.options, call.queue) };
        Ok(())
    }

    unsafe fn read(&self, event: *mut rd::rd_kafka_event_t) -> Result<Self::Answer> {
        // SAFETY: the caller's promise; everything is the event's, and copied.
        Ok(unsafe {
            let result = rd::rd_kafka_event_DeleteAcls_result(event);
            array(|count| rd::rd_kafka_DeleteAcls_result_responses(result, count))
                .iter()
                .map(|response| {
                    borrowed_error(rd::rd_kafka_DeleteAcls_result_response_error(*response))?;
                    let found = array(|count| rd::rd_kafka_DeleteAcls_result_response_matching_acls(*response, count));
                    let deleted = |binding: &*const rd::rd_kafka_AclBinding_t| DeletedAcl {
                        acl: acl(*binding),
                        result: borrowed_error(rd::rd_kafka_AclBinding_error(*binding)),
                    };
                    Ok(found.iter().map(deleted).collect())
                })
                .collect()
        })
    }
}

impl Operation for DescribeUsers {
    type Answer = Vec<Named<Vec<ScramCredential>>>;
    const CODE: rd::rd_kafka_admin_op_t = rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBEUSERSCRAMCREDENTIALS;
    const EVENT: i32 = rd::RD_KAFKA_EVENT_DESCRIBEUSERSCRAMCREDENTIALS_RESULT;

    fn start(&self, call: &Call) -> Result<()> {
        let users = self.users.iter().map(|user| c_string("the user", user)).collect::<Result<Vec<_>>>()?;
        let mut users: Vec<_> = users.iter().map(|user| user.as_ptr()).collect();
        let (list, count) = (users.as_mut_ptr(), users.len());
        // SAFETY: all are alive; the names are copied; none means all.
        unsafe { rd::rd_kafka_DescribeUserScramCredentials(call.client, list, count, call.options, call.queue) };
        Ok(())
    }

    unsafe fn read(&self, event: *mut rd::rd_kafka_event_t) -> Result<Self::Answer> {
        // SAFETY: the caller's promise; everything is the event's, and copied.
        Ok(unsafe {
            let result = rd::rd_kafka_event_DescribeUserScramCredentials_result(event);
            array(|count| rd::rd_kafka_DescribeUserScramCredentials_result_descriptions(result, count))
                .iter()
                .map(|user| {
                    let credential = |i| {
                        let info = rd::rd_kafka_UserScramCredentialsDescription_scramcredentialinfo(*user, i);
                        ScramCredential {
                            mechanism: rd::codes::rd_kafka_ScramCredentialInfo_mechanism(info).into(),
                            iterations: rd::rd_kafka_ScramCredentialInfo_iterations(info),
                        }
                    };
                    let count = rd::rd_kafka_UserScramCredentialsDescription_scramcredentialinfo_count(*user);
                    let error = borrowed_error(rd::rd_kafka_UserScramCredentialsDescription_error(*user));
                    Named {
                        name: text(rd::rd_kafka_UserScramCredentialsDescription_user(*user)),
                        result: error.map(|()| (0..count).map(credential).collect()),
                    }
                })
                .collect()
        })
    }
}

impl Operation for AlterUsers {
    type Answer = Vec<Named>;
    const CODE: rd::rd_kafka_admin_op_t = rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_ALTERUSERSCRAMCREDENTIALS;
    const EVENT: i32 = rd::RD_KAFKA_EVENT_ALTERUSERSCRAMCREDENTIALS_RESULT;

    fn start(&self, call: &Call) -> Result<()> {
        let mut alterations = Objects::new(rd::rd_kafka_UserScramCredentialAlteration_destroy);
        for alteration in &self.alterations {
            let user = c_string("the user", &alteration.user)?;
            let mechanism = alteration.mechanism.into();
            // SAFETY: user and password are copied; without a salt librdkafka makes a random one.
            alterations.make(|_, _| unsafe {
                match alteration.password.as_ref().map(|password| password.as_bytes()) {
                    Some(password) => rd::codes::rd_kafka_UserScramCredentialUpsertion_new(
                        user.as_ptr(),
                        mechanism,
                        alteration.iterations,
                        password.as_ptr(),
                        password.len(),
                        std::ptr::null(),
                        0,
                    ),
                    None => rd::codes::rd_kafka_UserScramCredentialDeletion_new(user.as_ptr(), mechanism),
                }
            })?;
        }
        let (alterations, count) = alterations.array();
        // SAFETY: all are alive; the alterations are copied.
        unsafe { rd::rd_kafka_AlterUserScramCredentials(call.client, alterations, count, call.options, call.queue) };
        Ok(())
    }

    unsafe fn read(&self, event: *mut rd::rd_kafka_event_t) -> Result<Self::Answer> {
        // SAFETY: the caller's promise; everything is the event's, and copied.
        Ok(unsafe {
            let result = rd::rd_kafka_event_AlterUserScramCredentials_result(event);
            array(|count| rd::rd_kafka_AlterUserScramCredentials_result_responses(result, count))
                .iter()
                .map(|user| Named {
                    name: text(rd::rd_kafka_AlterUserScramCredentials_result_response_user(*user)),
                    result: borrowed_error(rd::rd_kafka_AlterUserScramCredentials_result_response_error(*user)),
                })
                .collect()
        })
    }
}
