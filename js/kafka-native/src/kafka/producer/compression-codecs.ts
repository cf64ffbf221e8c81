import { KafkaJSNotImplemented } from '../errors';
import { CompressionTypes } from './messages';

const builtIn = (): never => {
  throw new KafkaJSNotImplemented('There are no codecs in JavaScript: librdkafka compresses and decompresses GZIP, Snappy, LZ4 and ZSTD itself');
};

/** Where KafkaJS programs put codecs. Codecs put here are not used: all four are built in. */
export const CompressionCodecs: Record<Exclude<CompressionTypes, CompressionTypes.None>, () => any> = {
  [CompressionTypes.GZIP]: builtIn,
  [CompressionTypes.Snappy]: builtIn,
  [CompressionTypes.LZ4]: builtIn,
  [CompressionTypes.ZSTD]: builtIn,
};
