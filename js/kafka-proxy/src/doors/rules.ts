// Rules of who may do what, as the configuration says it. An operation that no rule grants is forbidden.

import type { MessageRule } from 'kafka-native';
import { WHOLLY, type Access, type Permission } from '../access';
import { claimOf } from './claims';
import { CONDITION, readCondition, ruleFor, type Condition } from './conditions';
import { wayOf, type Identity, type Way } from './identity';

type OneOrMore<T> = T | readonly T[];
type Fact = string | number | boolean;
type Deed = Access['operation'];

/** Names, `'*'` for everybody who is let in, or claims, all of which must be so: of an array one of them. */
export type Who = OneOrMore<string | Readonly<Record<string, OneOrMore<Fact>>>>;

/** The rights of somebody. A right that is left out is not granted. */
export interface RuleOptions {
  who: Who;
  /** How they must have said who they are: a name of one way may be somebody else's in another. Default: any. A ticket is of its owner's way. */
  ways?: OneOrMore<Exclude<Way, 'ticket'>>;
  /** Of reading and writing: names, or how they begin (`orders-*`). */
  topics?: OneOrMore<string>;
  /** Of `group`, and of `admin`: names, or how they begin. */
  groups?: OneOrMore<string>;
  /** `admin` without `groups` is all of it, metrics included; with them, it is to set the offsets of these. */
  may: OneOrMore<Deed>;
  /** Only messages of which all of this is true are read and written: `key == claims.sub`, `headers.tenant == claims.tenant`, `key == 'text'`. */
  when?: OneOrMore<string>;
}

/** A name, or how names begin. */
class Names {
  readonly #text: string;
  readonly #open: boolean;

  constructor(text: string) {
    this.#open = text.endsWith('*');
    this.#text = this.#open ? text.slice(0, -1) : text;
  }

  has(name: string): boolean {
    return this.#open ? name.startsWith(this.#text) : name === this.#text;
  }

  /** Whether it has all names that a pattern fits, in which each `*` is any text: they all begin as the pattern does. */
  covers(pattern: string): boolean {
    const star = pattern.indexOf('*');
    return star < 0 ? this.has(pattern) : this.#open && pattern.slice(0, star).startsWith(this.#text);
  }
}

interface Rule {
  readonly who: readonly (string | Readonly<Record<string, OneOrMore<Fact>>>)[];
  readonly ways: readonly Way[] | undefined;
  readonly topics: readonly Names[];
  readonly groups: readonly Names[];
  readonly may: readonly Deed[];
  readonly when: readonly Condition[];
}

export class Rules {
  readonly #rules: readonly Rule[];

  /** @throws TypeError naming the rule and what is wrong with it */
  constructor(rules: unknown) {
    if (!Array.isArray(rules)) throw new TypeError('kafka-proxy: rules must be an array of rules');
    this.#rules = rules.map((rule, i) => read(rule, `rules[${i}]`));
  }

  /** undefined: no. */
  allow(identity: Identity, access: Access): Permission | undefined {
    const granted: MessageRule[] = [];
    for (const rule of this.#rules) {
      if (!isOf(rule, identity) || !covers(rule, access)) continue;
      if (rule.when.length === 0) return WHOLLY;
      const only = ruleFor(rule.when, identity.claims);
      if (only) granted.push(only);
    }
    if (granted.length === 0) return undefined;
    return { only: granted.length === 1 ? granted[0] : { any: granted } };
  }
}

function isOf({ who, ways }: Rule, identity: Identity): boolean {
  if (ways && !ways.includes(wayOf(identity))) return false;
  return who.some((each) => {
    if (typeof each === 'string') return each === '*' || each === identity.name;
    return Object.entries(each).every(([path, wanted]) => {
      const claim = claimOf(identity.claims, path);
      const facts: readonly unknown[] = Array.isArray(claim) ? claim : [claim];
      return listOf(wanted).some((one) => facts.includes(one));
    });
  });
}

function covers({ may, topics, groups }: Rule, access: Access): boolean {
  const all = may.includes('admin') && groups.length === 0;
  switch (access.operation) {
    case 'metrics':
      return all || may.includes('metrics');
    case 'admin':
      return all || (access.group !== undefined && may.includes('admin') && groups.some((each) => each.has(access.group!)));
    case 'group':
      return may.includes('group') && groups.some((each) => each.has(access.group));
    default:
      if (!may.includes(access.operation)) return false;
      return topics.some((each) => ('pattern' in access ? each.covers(access.pattern) : each.has(access.topic)));
  }
}

const FIELDS = new Set(['who', 'ways', 'topics', 'groups', 'may', 'when']);
const DEEDS: readonly Deed[] = ['read', 'write', 'group', 'admin', 'metrics'];
const WAYS: readonly Way[] = ['none', 'secret', 'password', 'token', 'certificate', 'hook'];

function read(given: unknown, path: string): Rule {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) throw wrong(path, 'must be an object with who and may');
  const rule = given as Partial<Record<string, unknown>>;
  for (const name of Object.keys(rule)) if (!FIELDS.has(name)) throw wrong(`${path}.${name}`, `is nothing that a rule has: it has ${[...FIELDS].join(', ')}`);
  const may = each(rule.may, `${path}.may`, (one) => (DEEDS.includes(one as Deed) ? (one as Deed) : undefined), `must be one of ${DEEDS.join(', ')}`);
  const who = each(rule.who, `${path}.who`, whoOf, "must be a name, '*' for everybody who is let in, or an object of claims and what they must be");
  const ways = each(rule.ways, `${path}.ways`, (one) => (WAYS.includes(one as Way) ? (one as Way) : undefined), `must be one of ${WAYS.join(', ')}`);
  const topics = each(rule.topics, `${path}.topics`, topicsOf, "must be a topic's name, or how it begins, such as 'orders-*'");
  const groups = each(rule.groups, `${path}.groups`, groupsOf, "must be a group's name, or how it begins, such as 'orders-*'");
  const when = each(rule.when, `${path}.when`, readCondition, CONDITION);
  if (who.length === 0) throw wrong(`${path}.who`, "must say for whom it is: names, '*', or claims");
  if (may.length === 0) throw wrong(`${path}.may`, `must say what they may: ${DEEDS.join(', ')}`);
  const messages = may.includes('read') || may.includes('write');
  if (messages && topics.length === 0) throw wrong(`${path}.topics`, "must say what they may read or write: names, or how they begin; '*' is every topic");
  if (!messages && topics.length > 0) throw wrong(`${path}.topics`, 'are for read and write, and it may neither');
  if (may.includes('group') && groups.length === 0) throw wrong(`${path}.groups`, "must say in which groups they may be; '*' is every group");
  if (!may.includes('group') && !may.includes('admin') && groups.length > 0) throw wrong(`${path}.groups`, 'are for group and admin, and it may neither');
  if (when.length > 0 && (!messages || may.includes('admin') || may.includes('metrics')))
    throw wrong(`${path}.when`, 'is about messages: for admin and metrics, and without read and write, take a rule of its own');
  return { who, ways: ways.length > 0 ? ways : undefined, topics, groups, may, when };
}

/** One, or an array of them; of one that is wrong the path is said. */
function each<T>(given: unknown, path: string, one: (given: unknown) => T | undefined, must: string): T[] {
  if (given === undefined) return [];
  if (Array.isArray(given) && given.length === 0) throw wrong(path, 'is empty');
  return listOf(given).map((single, i) => {
    const found = one(single);
    if (found === undefined) throw wrong(Array.isArray(given) ? `${path}[${i}]` : path, must);
    return found;
  });
}

function whoOf(given: unknown): string | Record<string, OneOrMore<Fact>> | undefined {
  if (typeof given === 'string') return given === '' ? undefined : given;
  if (typeof given !== 'object' || given === null || Array.isArray(given)) return undefined;
  const claims = Object.entries(given);
  const isFact = (fact: unknown): boolean => ['string', 'number', 'boolean'].includes(typeof fact);
  const fits = claims.length > 0 && claims.every(([, wanted]) => listOf(wanted).length > 0 && listOf(wanted).every(isFact));
  return fits ? Object.fromEntries(claims) : undefined;
}

function topicsOf(given: unknown): Names | undefined {
  return typeof given === 'string' && /^(?=.)[\w.-]{0,249}\*?$/.test(given) ? new Names(given) : undefined;
}

function groupsOf(given: unknown): Names | undefined {
  return typeof given === 'string' && /^(?=.)[^*]{0,255}\*?$/su.test(given) ? new Names(given) : undefined;
}

function listOf<T>(given: T | readonly T[]): readonly T[] {
  return Array.isArray(given) ? given : [given as T];
}

function wrong(path: string, must: string): TypeError {
  return new TypeError(`kafka-proxy: ${path} ${must}`);
}
