/** `linux-x64-gnu`, `linux-arm64-musl`, `darwin-arm64`, `win32-x64`: the name that a build of the addon carries. */
export function platformName(): string {
  const name = `${process.platform}-${process.arch}`;
  return process.platform === 'linux' ? `${name}-${isMusl() ? 'musl' : 'gnu'}` : name;
}

/** The process report names glibc's version; musl has none. */
function isMusl(): boolean {
  const report = process.report?.getReport() as { header?: { glibcVersionRuntime?: string } } | undefined;
  return report?.header !== undefined && !report.header.glibcVersionRuntime;
}
