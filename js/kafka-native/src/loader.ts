import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Binding } from './binding';
import { platformName } from './platform';

/**
 * Finds the addon: the file that `KAFKA_NATIVE_ADDON` names (nothing else is tried then), a development build beside
 * `dist`, or the package of this platform that npm installed.
 */
function load(): Binding {
  const chosen = process.env['KAFKA_NATIVE_ADDON'];
  if (chosen) return require(resolve(chosen)) as Binding;

  const platform = platformName();
  const built = join(__dirname, '..', `kafka_native.${platform}.node`);
  if (existsSync(built)) return require(built) as Binding;

  const published = `@kafka-native/${platform}`;
  try {
    return require(published) as Binding;
  } catch (cause) {
    throw new Error(
      `kafka-native has no addon for ${platform} (Node ${process.version}).\n` +
        `Tried:\n  ${built}\n  the package ${published}: ${(cause as Error).message.split('\n')[0]}\n` +
        'If this platform is supported, install again with optional dependencies (npm install --include=optional). ' +
        'Otherwise build the addon from the source repository (npm run build) and let the environment variable ' +
        'KAFKA_NATIVE_ADDON name the file.',
      { cause },
    );
  }
}

/** The addon, loaded once: importing the package fails at once, and says why, where it cannot work. */
export const binding: Binding = load();
