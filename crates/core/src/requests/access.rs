//! Requests about who may do what: ACLs, and users with SCRAM credentials.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::Result;

numbered! {
    /// The kind of resource that an ACL is about.
    ResourceKind {
        /// One that librdkafka does not know.
        Unknown = 0,
        /// Every kind; in filters.
        Any = 1,
        /// A topic.
        Topic = 2,
        /// A consumer group.
        Group = 3,
        /// The cluster, named `kafka-cluster`.
        Cluster = 4,
        /// A transactional id.
        TransactionalId = 5,
    }
}

numbered! {
    /// How an ACL's name is meant.
    PatternKind {
        /// One that librdkafka does not know.
        Unknown = 0,
        /// Every kind; in filters.
        Any = 1,
        /// Whatever applies to the name, `*` and prefixes as well; in filters.
        Match = 2,
        /// Exactly this name, or `*`.
        Literal = 3,
        /// Names that begin so.
        Prefixed = 4,
    }
}

numbered! {
    /// The operation that an ACL allows or denies.
    AclOperation {
        /// One that librdkafka does not know.
        Unknown = 0,
        /// Each; in filters.
        Any = 1,
        /// All of them.
        All = 2,
        /// Read.
        Read = 3,
        /// Write.
        Write = 4,
        /// Create.
        Create = 5,
        /// Delete.
        Delete = 6,
        /// Alter.
        Alter = 7,
        /// Describe.
        Describe = 8,
        /// Requests of brokers among themselves.
        ClusterAction = 9,
        /// Describe configurations.
        DescribeConfigs = 10,
        /// Alter configurations.
        AlterConfigs = 11,
        /// Write idempotently.
        IdempotentWrite = 12,
    }
}

numbered! {
    /// Whether an ACL allows.
    AclPermission {
        /// One that librdkafka does not know.
        Unknown = 0,
        /// Either; in filters.
        Any = 1,
        /// It denies.
        Deny = 2,
        /// It allows.
        Allow = 3,
    }
}

/// A right, or its denial.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Acl {
    /// The resource's kind.
    pub resource: ResourceKind,
    /// The resource's name.
    pub name: String,
    /// How the name is meant.
    pub pattern: PatternKind,
    /// The user, such as `User:alice`.
    pub principal: String,
    /// From where; `*` = from everywhere.
    pub host: String,
    /// The operation.
    pub operation: AclOperation,
    /// Allowed or not.
    pub permission: AclPermission,
}

/// Which ACLs; none = every.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
pub struct AclFilter {
    /// The resource's kind.
    pub resource: ResourceKind,
    /// The resource's name.
    pub name: Option<String>,
    /// How the name is meant.
    pub pattern: PatternKind,
    /// The user.
    pub principal: Option<String>,
    /// From where.
    pub host: Option<String>,
    /// The operation.
    pub operation: AclOperation,
    /// Allowed or not.
    pub permission: AclPermission,
}

/// Makes ACLs. Answers what became of each, in order. Items fail with `SECURITY_DISABLED` where brokers have no authorizer,
/// `CLUSTER_AUTHORIZATION_FAILED`, `INVALID_REQUEST`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct CreateAcls {
    /// The ACLs.
    pub acls: Vec<Acl>,
}

/// Finds ACLs. Fails with `SECURITY_DISABLED` where brokers have no authorizer.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct DescribeAcls {
    /// Which.
    pub filter: AclFilter,
}

/// Deletes ACLs. Answers for each filter, in order, those that it deleted, or could not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct DeleteAcls {
    /// Which.
    pub filters: Vec<AclFilter>,
}

/// An ACL that a filter found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct DeletedAcl {
    /// The ACL.
    pub acl: Acl,
    /// Whether it is gone.
    pub result: Result<()>,
}

numbered! {
    /// How a password is kept.
    ScramMechanism {
        /// One that librdkafka does not know.
        Unknown = 0,
        /// SCRAM-SHA-256.
        Sha256 = 1,
        /// SCRAM-SHA-512.
        Sha512 = 2,
    }
}

/// The credentials that users have, never passwords. Items fail with `RESOURCE_NOT_FOUND`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct DescribeUsers {
    /// Their names; empty = all.
    pub users: Vec<String>,
}

/// A credential of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct ScramCredential {
    /// How the password is kept.
    pub mechanism: ScramMechanism,
    /// How often it was hashed.
    pub iterations: i32,
}

/// Sets and deletes passwords. Items fail with `RESOURCE_NOT_FOUND`, `UNACCEPTABLE_CREDENTIAL` (less than 4096 iterations),
/// `DUPLICATE_RESOURCE`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct AlterUsers {
    /// Changes to be made; a user and mechanism once.
    pub alterations: Vec<UserAlteration>,
}

/// A change to a user's credential.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
pub struct UserAlteration {
    /// The user.
    pub user: String,
    /// Which of the credentials.
    pub mechanism: ScramMechanism,
    /// The new password; none = the credential is deleted, and the user with the last one.
    pub password: Option<String>,
    /// How often it is hashed, at least 4096; default 8192.
    #[serde(default = "iterations")]
    #[cfg_attr(test, ts(optional, as = "Option<_>"))]
    pub iterations: i32,
}

fn iterations() -> i32 {
    8192
}

impl fmt::Debug for UserAlteration {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kept = self.password.as_ref().map(|_| "***");
        f.debug_struct("UserAlteration")
            .field("user", &self.user)
            .field("mechanism", &self.mechanism)
            .field("password", &kept)
            .field("iterations", &self.iterations)
            .finish()
    }
}
