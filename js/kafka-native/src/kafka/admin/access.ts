import type { Acl as NativeAcl, AclFilter as NativeAclFilter } from '../../admin-requests';
import { describe } from '../../options';
import { KafkaJSAggregateError, KafkaJSNotImplemented, type KafkaJSError } from '../errors';
import { checkArray, checkName, errorOf, refuse, toCount, valueOf, type AdminCall } from './connection';
import { GroupAdmin } from './groups';
import { AclOperationTypes, AclPermissionTypes, AclResourceTypes, ResourcePatternTypes } from './resource-types';
import { asJson, shown } from '../given';

export interface Acl {
  /** `User:alice` */
  principal: string;
  /** `*`: from everywhere. */
  host: string;
  operation: AclOperationTypes;
  permissionType: AclPermissionTypes;
}
export interface AclResource {
  resourceType: AclResourceTypes;
  resourceName: string;
  resourcePatternType: ResourcePatternTypes;
}
export type AclEntry = Acl & AclResource;
/** Undefined: every. */
export interface AclFilter {
  resourceType: AclResourceTypes;
  resourceName?: string;
  resourcePatternType: ResourcePatternTypes;
  principal?: string;
  host?: string;
  operation: AclOperationTypes;
  permissionType: AclPermissionTypes;
}
export interface DescribeAclResponse {
  resources: (AclResource & { acls: Acl[] })[];
}
export type MatchingAcl = AclEntry & { errorCode: number; errorMessage: string | null };
export interface DeleteAclResponse {
  filterResponses: { errorCode: number; errorMessage: string | null; matchingAcls: MatchingAcl[] }[];
}

/** How a password is kept. */
export type ScramMechanism = 'SCRAM-SHA-256' | 'SCRAM-SHA-512';
const MECHANISMS: (ScramMechanism | 'UNKNOWN')[] = ['UNKNOWN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'];
export interface UserDescription {
  user: string;
  credentials: { mechanism: ScramMechanism | 'UNKNOWN'; iterations: number }[];
  /** Why nothing is known of the user: RESOURCE_NOT_FOUND. */
  error?: KafkaJSError;
}
export interface UserAlteration {
  user: string;
  mechanism: ScramMechanism;
  /** The new password; undefined: the credential is deleted, and with the last one the user. */
  password?: string;
  /** How often it is hashed, at least 4096; default 8192. */
  iterations?: number;
}

/** Access rights: ACLs, and users with SCRAM credentials. */
export abstract class AccessAdmin extends GroupAdmin {
  /** Makes ACLs; resolves with true. Rejects with the first error; the others were made. */
  async createAcls({ acl, timeout }: { acl: AclEntry[] } & AdminCall): Promise<boolean> {
    checkAcls('ACL', acl, false);
    (await this.ask('CreateAcls', { acls: acl.map(nativeOf) }, { timeout })).forEach(valueOf);
    return true;
  }

  /** The ACLs that a filter matches, by resource. */
  async describeAcls({ timeout, ...filter }: AclFilter & AdminCall): Promise<DescribeAclResponse> {
    checkNames([filter], true, (field) => `Invalid ${field}, the ${field} have to be a valid string`);
    checkNumbers(filter, 'resource pattern filter', '');
    const resources = new Map<string, AclResource & { acls: Acl[] }>();
    for (const native of await this.ask('DescribeAcls', { filter: nativeOf(filter) }, { timeout })) {
      const { resourceType, resourceName, resourcePatternType, ...acl } = entryOf(native);
      const key = `${resourceType} ${resourcePatternType} ${resourceName}`;
      if (!resources.has(key)) resources.set(key, { resourceType, resourceName, resourcePatternType, acls: [] });
      resources.get(key)!.acls.push(acl);
    }
    return { resources: [...resources.values()] };
  }

  /** Deletes what filters match; resolves with what was deleted, filter by filter. Rejects with the first error. */
  async deleteAcls({ filters, timeout }: { filters: AclFilter[] } & AdminCall): Promise<DeleteAclResponse> {
    checkAcls('ACL Filter', filters, true);
    const fine = { errorCode: 0, errorMessage: null };
    return {
      filterResponses: (await this.ask('DeleteAcls', { filters: filters.map(nativeOf) }, { timeout })).map((response) => ({
        ...fine,
        matchingAcls: valueOf(response).map(({ acl, result }) => {
          valueOf(result);
          return { ...fine, ...entryOf(acl) };
        }),
      })),
    };
  }

  /**
   * SCRAM credentials that users have; never passwords.
   * @param request.users default: all
   */
  async describeUsers({ users = [], timeout }: { users?: string[] } & AdminCall = {}): Promise<UserDescription[]> {
    checkArray('users', users);
    for (const user of users) checkName('user', user);
    return (await this.ask('DescribeUsers', { users }, { timeout })).map(({ name: user, result }) => {
      const error = errorOf(result);
      if (error) return { user, credentials: [], error };
      return { user, credentials: valueOf(result).map(({ mechanism, iterations }) => ({ mechanism: MECHANISMS[mechanism] ?? 'UNKNOWN', iterations })) };
    });
  }

  /** Sets and deletes SCRAM passwords. Rejects with a KafkaJSAggregateError of one error a user; the others are done. */
  async alterUsers({ alterations, timeout }: { alterations: UserAlteration[] } & AdminCall): Promise<void> {
    checkArray('alterations', alterations);
    const fields = alterations.map(({ user, mechanism, password, iterations }) => {
      checkName('user', user);
      const number = MECHANISMS.indexOf(mechanism);
      if (number < 1) refuse(`Invalid mechanism ${describe(mechanism)} of user ${user}: SCRAM-SHA-256 or SCRAM-SHA-512`);
      if (password !== undefined && typeof password !== 'string') refuse(`Invalid password of user ${user}: it must be a string`);
      return { user, mechanism: number, password, iterations: iterations == null ? undefined : toCount(`iterations of user ${user}`, iterations, 1) };
    });
    const errors = (await this.ask('AlterUsers', { alterations: fields }, { timeout })).flatMap(({ name, result }) => {
      const error = errorOf(result);
      return error ? [Object.assign(error, { user: name })] : [];
    });
    if (errors.length > 0) throw new KafkaJSAggregateError('Some users were not altered', errors);
  }
}

function nativeOf<A extends AclFilter>({
  resourceType,
  resourceName,
  resourcePatternType,
  principal,
  host,
  operation,
  permissionType,
}: A): A extends AclEntry ? NativeAcl : NativeAclFilter {
  return { resource: resourceType, name: resourceName, pattern: resourcePatternType, principal, host, operation, permission: permissionType } as any;
}

function entryOf({ resource, name, pattern, principal, host, operation, permission }: NativeAcl): AclEntry {
  return { resourceType: resource, resourceName: name, resourcePatternType: pattern, principal, host, operation, permissionType: permission };
}

/** @param free a name that is left out matches all */
function checkAcls(what: string, acls: unknown, free: boolean): void {
  checkArray(what, acls);
  if (acls.length === 0) refuse(`Empty ${what} array`);
  checkNames(acls, free, (field) => `Invalid ${what} array, the ${field}s have to be a valid string`);
  for (const acl of acls) checkNumbers(acl, 'resource pattern', `: ${asJson(acl)}`);
}

function checkNames(acls: AclFilter[], free: boolean, sentence: (field: string) => string): void {
  for (const field of ['principal', 'host', 'resourceName'] as const) {
    if (acls.some(({ [field]: name }) => typeof name !== 'string' && !(free && name === undefined))) refuse(sentence(field));
  }
}

function checkNumbers(acl: AclFilter, pattern: string, behind: string): void {
  const of = (field: keyof AclFilter, name: string, numbers: object): void => {
    const given = acl[field];
    if (typeof given !== 'number' || !(given in numbers)) refuse(`Invalid ${name} type ${shown(given)}${behind}`);
  };
  of('operation', 'operation', AclOperationTypes);
  of('resourcePatternType', pattern, ResourcePatternTypes);
  of('permissionType', 'permission', AclPermissionTypes);
  of('resourceType', 'resource', AclResourceTypes);
  if (acl.resourceType === AclResourceTypes.DELEGATION_TOKEN) {
    throw new KafkaJSNotImplemented('ACLs of delegation tokens are not supported by librdkafka: use kafka-acls.sh, which comes with Kafka');
  }
}
