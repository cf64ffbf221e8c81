import { createRequire } from 'node:module';
import { KafkaProxy } from 'kafka-proxy';
import { KafkaProxyClient } from 'kafka-proxy/client';
import { throughProxy } from './proxy.js';

if (createRequire(import.meta.url)('kafka-proxy').KafkaProxy !== KafkaProxy) throw new Error('import and require have copies of their own');
throughProxy({ KafkaProxy }, { KafkaProxyClient });
