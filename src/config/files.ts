/**
 * Reading the files that settings come from: the YAML file and the files of secrets. Both are small files of UTF-8
 * text; anything else is a mistake that must not turn up half decoded.
 */
import { readRegularFile } from '../lib/regular-file.ts';

export type FileText =
  | { readonly text: string; readonly worldReadable: boolean }
  | { readonly problem: string; readonly missing: boolean };

/** The text of a file of at most `limit` bytes, or what is wrong with it. */
export function readSmallFile(path: string, limit: number): FileText {
  const file = readRegularFile(path, limit);
  if ('problem' in file) return file;
  const { bytes, worldReadable } = file;
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    if (!text.includes('\0')) return { text, worldReadable };
  } catch {
    // As with a NUL in it.
  }
  return { problem: 'it is not UTF-8 text', missing: false };
}
