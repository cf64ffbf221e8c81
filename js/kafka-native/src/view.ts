type View = new (buffer: ArrayBufferLike, at: number, length: number) => Buffer;

/** The class of all Buffers, which `Buffer` itself is not in Node; undefined where it is no other. */
const Species = (() => {
  const species = (Buffer as unknown as { [Symbol.species]?: View })[Symbol.species];
  if (typeof species !== 'function' || (species as unknown) === Buffer) return undefined;
  return Object.getPrototypeOf(new species(new ArrayBuffer(2), 1, 1)) === Buffer.prototype ? species : undefined;
})();

/** A Buffer over these bytes, without what `subarray` asks each time: 25 ns in place of 35 to 100. @internal */
export const viewOf: (buffer: ArrayBufferLike, at: number, length: number) => Buffer = Species
  ? (buffer, at, length) => new Species(buffer, at, length)
  : (buffer, at, length) => Buffer.from(buffer as ArrayBuffer, at, length);
