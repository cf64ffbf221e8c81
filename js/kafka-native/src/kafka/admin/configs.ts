import type { ItemResult } from '../../admin-client';
import type { ConfigEntry, ConfigResource } from '../../admin-requests';
import { KafkaJSBrokerNotFound, KafkaJSNotImplemented } from '../errors';
import { checkArray, refuse, valueOf, type AdminCall } from './connection';
import { ConfigResourceTypes, ConfigSource } from './resource-types';
import { TopicAdmin } from './topics';
import { asJson, shown } from '../given';

export interface ResourceConfigQuery {
  type: ConfigResourceTypes;
  /** The topic's name, or the broker's id as a string. */
  name: string;
  /** Default: all. */
  configNames?: string[];
}
export interface ConfigSynonyms {
  configName: string;
  configValue: string | null;
  configSource: ConfigSource;
}
export interface ConfigEntries extends ConfigSynonyms {
  readOnly: boolean;
  isDefault: boolean;
  isSensitive: boolean;
  configSynonyms: ConfigSynonyms[];
}
export interface DescribeConfigResponse {
  resources: { errorCode: number; errorMessage: string; resourceType: ConfigResourceTypes; resourceName: string; configEntries: ConfigEntries[] }[];
}
export interface IResourceConfig {
  type: ConfigResourceTypes;
  name: string;
  configEntries: { name: string; value: string }[];
}
export interface IncrementalResourceConfig {
  type: ConfigResourceTypes;
  name: string;
  /** `delete` goes back to the default; `append` and `subtract` change lists. Default: `set`. */
  configEntries: { name: string; operation?: 'set' | 'delete' | 'append' | 'subtract'; value?: string }[];
}
export interface AlterConfigsResponse {
  resources: { errorCode: number; errorMessage: string | null; resourceType: ConfigResourceTypes; resourceName: string }[];
}

/** Configurations of topics and brokers. */
export abstract class ConfigAdmin extends TopicAdmin {
  /** Rejects with the first resource's error. */
  async describeConfigs({
    resources,
    includeSynonyms = false,
    timeout,
  }: { resources: ResourceConfigQuery[]; includeSynonyms?: boolean } & AdminCall): Promise<DescribeConfigResponse> {
    checkResources(resources);
    const wrong = resources.find(({ configNames }) => configNames != null && !Array.isArray(configNames));
    if (wrong) refuse(`Invalid resource configNames ${shown(wrong.configNames)}: ${jsonOf(wrong)}`);
    const asked = resources.map(({ configNames, ...resource }) => ({ ...resource, configNames: configNames && [...configNames] }));
    const described = await this.#ofBrokers(asked, { timeout }, (some) => this.ask('DescribeConfigs', { resources: some.map(resourceOf) }, { timeout }));
    return {
      resources: described.map(({ kind, name, result }) => {
        const names = asked.find((resource) => resource.type === kind && resource.name === name)?.configNames;
        const entries = valueOf(result as ItemResult<ConfigEntry[]>).filter((entry) => !names || names.includes(entry.name));
        return {
          errorCode: 0,
          errorMessage: '',
          resourceType: kind,
          resourceName: name,
          configEntries: entries.map((entry) => entryOf(entry, includeSynonyms)),
        };
      }),
    };
  }

  /** Sets the properties that are named; KafkaJS's resets all others of the resource, this one does not. */
  alterConfigs({ resources, validateOnly, timeout }: { resources: IResourceConfig[]; validateOnly?: boolean } & AdminCall): Promise<AlterConfigsResponse> {
    return this.#alter(resources, validateOnly, { timeout }, true);
  }

  /** Sets, deletes, appends to and subtracts from single properties. */
  incrementalAlterConfigs({
    resources,
    validateOnly,
    timeout,
  }: { resources: IncrementalResourceConfig[]; validateOnly?: boolean } & AdminCall): Promise<AlterConfigsResponse> {
    return this.#alter(resources, validateOnly, { timeout }, false);
  }

  /** Rejects with the first resource's error. */
  async #alter(resources: IncrementalResourceConfig[], validateOnly = false, call: AdminCall, values: boolean): Promise<AlterConfigsResponse> {
    checkResources(resources);
    for (const resource of resources) {
      const { configEntries } = resource;
      if (!Array.isArray(configEntries)) refuse(`Invalid resource configEntries ${shown(configEntries)}: ${jsonOf(resource)}`);
      const wrong = configEntries.find(
        (entry) => typeof entry?.name !== 'string' || (typeof entry.value !== 'string' && (values || entry.operation !== 'delete')),
      );
      if (wrong !== undefined) refuse(`Invalid resource config value: ${jsonOf(resource)}`);
    }
    const asked = resources.map((resource) => ({ ...resource, configEntries: resource.configEntries.map((entry) => ({ ...entry })) }));
    const altered = await this.#ofBrokers(asked, call, (some) =>
      this.ask('AlterConfigs', { resources: some.map((resource) => ({ ...resourceOf(resource), entries: resource.configEntries })), validateOnly }, call),
    );
    return {
      resources: altered.map(({ kind, name, result }) => {
        valueOf(result);
        return { errorCode: 0, errorMessage: null, resourceType: kind, resourceName: name };
      }),
    };
  }

  /** One request for each broker, which knows its own configuration only, and one for the rest. */
  async #ofBrokers<R extends { type: ConfigResourceTypes; name: string }, A>(resources: R[], call: AdminCall, ask: (some: R[]) => Promise<A[]>): Promise<A[]> {
    const targets = new Map<string | undefined, R[]>();
    for (const resource of resources) {
      const target = resource.type === ConfigResourceTypes.BROKER ? resource.name : undefined;
      targets.set(target, [...(targets.get(target) ?? []), resource]);
    }
    const named = [...targets.keys()].filter((target) => target !== undefined);
    const brokers = named.length > 0 ? (await this.describeCluster(call)).brokers : [];
    const missing = named.find((target) => !brokers.some(({ nodeId }) => String(nodeId) === target));
    if (missing !== undefined) throw new KafkaJSBrokerNotFound(`Broker ${missing} is not in the cluster, or not up`);
    return (await Promise.all([...targets.values()].map(ask))).flat();
  }
}

function checkResources(resources: unknown): void {
  checkArray('resources', resources);
  if (resources.length === 0) refuse('Resources array cannot be empty');
  for (const resource of resources) {
    const { type, name } = resource;
    if (typeof type !== 'number' || !(type in ConfigResourceTypes)) refuse(`Invalid resource type ${shown(type)}: ${jsonOf(resource)}`);
    if (type === ConfigResourceTypes.BROKER_LOGGER) {
      throw new KafkaJSNotImplemented(
        'The loggers of brokers are not supported by librdkafka: use kafka-configs.sh --entity-type broker-loggers, which comes with Kafka',
      );
    }
    if (typeof name !== 'string' || name === '') refuse(`Invalid resource name ${shown(name)}: ${jsonOf(resource)}`);
  }
}

/** Values are secrets, some of them. */
const jsonOf = (resource: unknown): string => asJson(resource, 'value');
const resourceOf = ({ type, name }: { type: number; name: string }): ConfigResource => ({ kind: type, name });
const synonymOf = ({ name, value, source }: ConfigEntry): ConfigSynonyms => ({ configName: name, configValue: value, configSource: source });

function entryOf(entry: ConfigEntry, synonyms: boolean): ConfigEntries {
  return {
    configName: entry.name,
    configValue: entry.value,
    readOnly: entry.readOnly,
    isDefault: entry.source === ConfigSource.DEFAULT_CONFIG,
    configSource: entry.source,
    isSensitive: entry.sensitive,
    configSynonyms: synonyms ? entry.synonyms.map(synonymOf) : [],
  };
}
