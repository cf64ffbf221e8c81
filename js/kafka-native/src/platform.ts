import { readFileSync } from 'node:fs';

/** `linux-x64-gnu`, `linux-arm64-musl`, `darwin-arm64`, `win32-x64-msvc`: the name that the addon of this platform carries. */
export function platformName(): string {
  const name = `${process.platform}-${process.arch}`;
  if (process.platform === 'linux') return `${name}-${isMusl() ? 'musl' : 'gnu'}`;
  return process.platform === 'win32' ? `${name}-msvc` : name;
}

/**
 * Which libc this process runs on: musl's loader is in its memory. The process report says it too, but takes long in a process
 * with connections, and Bun and Deno make theirs up; it serves where /proc cannot be read.
 */
function isMusl(): boolean {
  try {
    return readFileSync('/proc/self/maps', 'latin1').includes('/ld-musl-');
  } catch {
    const report = process.report?.getReport() as { header?: { glibcVersionRuntime?: string } } | undefined;
    return report?.header !== undefined && !report.header.glibcVersionRuntime;
  }
}

/** What runs this: `Node 20.20.2`, `Bun 1.4.5`, `Deno 2.9.6`. */
export function runtimeName(): string {
  const { bun, deno, node } = process.versions;
  if (bun) return `Bun ${bun}`;
  return deno ? `Deno ${deno}` : `Node ${node}`;
}
