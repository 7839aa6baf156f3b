/** crc-32 brings no types for its second table: CRC-32C, as Kafka has it over each record batch. */
declare module 'crc-32/crc32c.js' {
  /** A signed 32-bit integer. */
  function buf(bytes: Uint8Array, seed: number): number;
  const crc32c: { readonly buf: typeof buf };
  // biome-ignore lint/style/noDefaultExport: what a CommonJS module exports is the default export
  export default crc32c;
}
