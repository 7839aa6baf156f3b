/**
 * The five codecs of Kafka, made known to kafkajs, which brings gzip alone: snappy by kafkajs-snappy, LZ4 by our own
 * frame codec, Zstandard by Node's zlib. Every codec can be read, whatever `kafka.compression` says is sent.
 * Reading goes through `decompress`, not through kafkajs.
 */
import { promisify } from 'node:util';
import { gunzip, zstdCompress, zstdDecompress } from 'node:zlib';
import kafkajs, { CompressionTypes } from 'kafkajs';
import snappyCodec from 'kafkajs-snappy';
import type { Settings } from '../config/schema.ts';
import { compressFrame, decompressFrame } from './lz4-frame.ts';
import { decompressSnappy } from './snappy.ts';

/** Not among the names that Node finds in kafkajs, a CommonJS module. */
const { CompressionCodecs } = kafkajs;

/** How kafkajs speaks to a codec. */
interface Codec {
  compress(encoder: { readonly buffer: Buffer }): Promise<Buffer>;
  decompress(buffer: Buffer): Promise<Buffer>;
}

const lz4: Codec = {
  compress: async (encoder) => compressFrame(encoder.buffer),
  decompress: async (buffer) => decompressFrame(buffer, LARGEST_UNPACKED),
};

const compressZstd = promisify(zstdCompress);
const decompressZstd = promisify(zstdDecompress);
const decompressGzip = promisify(gunzip);

/** A batch that unpacks to more, in bytes, is not believed: a few kilobytes can be made to fill any memory. */
export const LARGEST_UNPACKED = 256 * 1024 * 1024;
const BOUND = { maxOutputLength: LARGEST_UNPACKED };

const zstd: Codec = {
  compress: (encoder) => compressZstd(encoder.buffer),
  decompress: (buffer) => decompressZstd(buffer, BOUND),
};

const DECOMPRESS: Readonly<Record<number, Codec['decompress']>> = {
  [CompressionTypes.GZIP]: (buffer) => decompressGzip(buffer, BOUND),
  [CompressionTypes.Snappy]: async (buffer) => decompressSnappy(buffer, LARGEST_UNPACKED),
  [CompressionTypes.LZ4]: (buffer) => lz4.decompress(buffer),
  [CompressionTypes.ZSTD]: (buffer) => zstd.decompress(buffer),
};

/** Unpacks what a record batch with Kafka's number of a codec holds. Throws on one that is unknown, and on damage. */
export async function decompress(codec: number, buffer: Buffer): Promise<Buffer> {
  const known = DECOMPRESS[codec];
  if (known === undefined) throw new Error(`an unknown codec (${codec})`);
  return known(buffer);
}

export const COMPRESSION: Readonly<Record<Settings['kafka']['compression'], CompressionTypes>> = {
  none: CompressionTypes.None,
  gzip: CompressionTypes.GZIP,
  snappy: CompressionTypes.Snappy,
  lz4: CompressionTypes.LZ4,
  zstd: CompressionTypes.ZSTD,
};

/** kafkajs' own, before anything is registered. */
const packGzip = CompressionCodecs[CompressionTypes.GZIP] as () => Codec;

/** Makes the codecs known to kafkajs, which unpacks logs of old formats; doing so again changes nothing. */
export function registerCodecs(): void {
  const bounded = (pack: () => Codec, codec: number) => () => ({
    ...pack(),
    decompress: (buffer: Buffer) => decompress(codec, buffer),
  });
  CompressionCodecs[CompressionTypes.GZIP] = bounded(packGzip, CompressionTypes.GZIP);
  CompressionCodecs[CompressionTypes.Snappy] = bounded(snappyCodec, CompressionTypes.Snappy);
  CompressionCodecs[CompressionTypes.LZ4] = () => lz4;
  CompressionCodecs[CompressionTypes.ZSTD] = () => zstd;
}
