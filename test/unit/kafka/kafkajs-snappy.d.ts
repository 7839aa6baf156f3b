// biome-ignore-all lint/style/noDefaultExport: what a CommonJS module exports is the default export
/** kafkajs-snappy has no types of its own: a function that makes a codec. */
declare module 'kafkajs-snappy' {
  interface SnappyCodec {
    compress(encoder: { readonly buffer: Buffer }): Promise<Buffer>;
    decompress(buffer: Buffer): Promise<Buffer>;
  }
  export default function snappyCodec(): SnappyCodec;
}
