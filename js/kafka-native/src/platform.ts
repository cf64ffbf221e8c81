import { readFileSync } from 'node:fs';

/** `linux-x64-gnu`, `linux-arm64-musl`, `darwin-arm64`, `win32-x64-msvc`: the name that the addon of this platform carries. */
export function platformName(): string {
  const name = `${process.platform}-${process.arch}`;
  if (process.platform === 'linux') return `${name}-${isMusl() ? 'musl' : 'gnu'}`;
  return process.platform === 'win32' ? `${name}-msvc` : name;
}

/**
 * Whether this process runs on musl, which is in memory then: as `ld-musl-x86_64.so.1` on Alpine, as `libc.so` elsewhere, where
 * glibc is `libc.so.6`. The process report knows, too, but looks up names for every connection of the process. Only Deno refuses
 * the look at memory, without --allow-all, and there is no Deno for musl.
 */
function isMusl(): boolean {
  try {
    return readFileSync('/proc/self/maps', 'latin1').match(/\/(ld-musl-.*|libc\.so)$/m) !== null;
  } catch {
    return false;
  }
}

/** The runtime and its version: `Node 20.20.2`, `Bun 1.4.5`, `Deno 2.9.6`. */
export function runtimeName(): string {
  const { bun, deno, node } = process.versions;
  if (bun) return `Bun ${bun}`;
  return deno ? `Deno ${deno}` : `Node ${node}`;
}
