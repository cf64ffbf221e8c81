import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Binding } from './binding';
import { platformName, runtimeName } from './platform';

/**
 * Finds the addon: the file that `KAFKA_NATIVE_ADDON` names (nothing else is tried then), a development build beside
 * `dist`, or the package of this platform that npm installed.
 */
function load(): Binding {
  const chosen = process.env['KAFKA_NATIVE_ADDON'];
  if (chosen) return require(resolve(chosen)) as Binding;

  const platform = platformName();
  // A bundle in ESM knows no folder.
  const built = typeof __dirname === 'string' ? join(__dirname, '..', `kafka_native.${platform}.node`) : '';
  if (existsSync(built)) return require(built) as Binding;

  const published = `@kafka-native/${platform}`;
  try {
    return require(published) as Binding;
  } catch (cause) {
    if (bundled()) throw new Error(BUNDLED, { cause });
    throw new Error(
      `kafka-native has no addon for ${platform} (${runtimeName()}).\n` +
        `Tried:\n  ${built}\n  the package ${published}: ${(cause as Error).message.split('\n')[0]}\n` +
        advice(published, cause as NodeJS.ErrnoException),
      { cause },
    );
  }
}

/** A bundler took this file out of its package. */
function bundled(): boolean {
  if (typeof __dirname !== 'string') return true;
  try {
    return (JSON.parse(readFileSync(join(__dirname, '..', 'package.json'), 'utf8')) as { name?: unknown }).name !== 'kafka-native';
  } catch {
    return true;
  }
}

const BUNDLED =
  'kafka-native was bundled: it has an addon, which no bundle can hold. Mark kafka-native external (esbuild --external:kafka-native, ' +
  "webpack externals: { 'kafka-native': 'commonjs kafka-native' }, vite ssr.external: ['kafka-native']) and install it where the bundle runs.";

function advice(published: string, { code }: NodeJS.ErrnoException): string {
  if (code !== undefined && code !== 'MODULE_NOT_FOUND') {
    return (
      'The package is installed and cannot be loaded, for the reason above. On Linux with glibc it needs version 2.28 or newer; ' +
      'a copy for another system or architecture has to be installed again on this one.'
    );
  }
  // Written when the package is made; there is none in a work tree.
  const { optionalDependencies = {} } = require('../package.json') as { optionalDependencies?: Record<string, string> };
  if (published in optionalDependencies) {
    return (
      'npm did not install that package: node_modules comes from another system, or optional dependencies were left out. ' +
      'Install again on this system: npm install --include=optional kafka-native'
    );
  }
  const names = Object.keys(optionalDependencies).map((name) => name.replace(/^.*\//, ''));
  return (
    `${names.length > 0 ? `There are addons for ${names.join(', ')}. For another platform build` : 'Build'} one from the source ` +
    'repository (npm run build) and let the environment variable KAFKA_NATIVE_ADDON name the file.'
  );
}

/** The addon, loaded once: importing the package fails at once, and says why, where it cannot work. */
export const binding: Binding = load();
