/**
 * The five codecs of Kafka: gzip and Zstandard by Node's zlib, Snappy and the frames of LZ4 by our own. Every codec can
 * be read, whatever `kafka.compression` says is sent. Record batches are packed and unpacked by `compress` and
 * `decompress`; kafkajs, which brings gzip alone, is told of the codecs for what it still reads, logs from before 0.11.
 */
import { promisify } from 'node:util';
import { gunzip, gzip, zstdCompress, zstdDecompress } from 'node:zlib';
import {
  Codecs as CompressionCodecs,
  Types as CompressionTypes,
} from 'kafkajs/src/protocol/message/compression/index.js';
import type { Settings } from '../config/schema.ts';
import { compressFrame, decompressFrame } from './lz4-frame.ts';
import { decompressSnappy } from './snappy.ts';
import { SnappyPacker } from './snappy-pack.ts';

const compressGzip = promisify(gzip);
const compressZstd = promisify(zstdCompress);
const decompressZstd = promisify(zstdDecompress);
const decompressGzip = promisify(gunzip);

/** A batch that unpacks to more, in bytes, is not believed: a few kilobytes can be made to fill any memory. */
export const LARGEST_UNPACKED = 256 * 1024 * 1024;

interface Codec {
  compress(bytes: Buffer): Buffer | Promise<Buffer>;
  /** Throws on more than `most` bytes. */
  decompress(bytes: Buffer, most: number): Buffer | Promise<Buffer>;
}

const snappy = new SnappyPacker();

const CODECS: Readonly<Record<number, Codec>> = {
  [CompressionTypes.None]: { compress: (bytes) => bytes, decompress: (bytes) => bytes },
  [CompressionTypes.GZIP]: {
    compress: (bytes) => compressGzip(bytes),
    decompress: (bytes, maxOutputLength) => decompressGzip(bytes, { maxOutputLength }),
  },
  [CompressionTypes.Snappy]: {
    compress: (bytes) => snappy.pack(bytes),
    decompress: decompressSnappy,
  },
  [CompressionTypes.LZ4]: { compress: compressFrame, decompress: decompressFrame },
  [CompressionTypes.ZSTD]: {
    compress: (bytes) => compressZstd(bytes),
    decompress: (bytes, maxOutputLength) => decompressZstd(bytes, { maxOutputLength }),
  },
};

/** Packs the records of a batch with Kafka's number of a codec. */
export async function compress(codec: number, bytes: Buffer): Promise<Buffer> {
  return known(codec).compress(bytes);
}

/** Unpacks what a record batch holds. Throws on a codec that is unknown, on damage, and on more than `most` bytes. */
export async function decompress(codec: number, bytes: Buffer, most: number = LARGEST_UNPACKED): Promise<Buffer> {
  return known(codec).decompress(bytes, most);
}

function known(codec: number): Codec {
  const found = CODECS[codec];
  if (found === undefined) throw new Error(`an unknown codec (${codec})`);
  return found;
}

export const COMPRESSION: Readonly<Record<Settings['kafka']['compression'], number>> = {
  none: CompressionTypes.None,
  gzip: CompressionTypes.GZIP,
  snappy: CompressionTypes.Snappy,
  lz4: CompressionTypes.LZ4,
  zstd: CompressionTypes.ZSTD,
};

/** Makes the codecs known to kafkajs, which unpacks logs of old formats; doing so again changes nothing. */
export function registerCodecs(): void {
  for (const codec of [
    CompressionTypes.GZIP,
    CompressionTypes.Snappy,
    CompressionTypes.LZ4,
    CompressionTypes.ZSTD,
  ] as const) {
    CompressionCodecs[codec] = () => ({
      compress: (encoder: { readonly buffer: Buffer }) => compress(codec, encoder.buffer),
      decompress: (buffer: Buffer) => decompress(codec, buffer),
    });
  }
}
