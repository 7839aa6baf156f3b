/**
 * How long a property is tried. In `npm test` as often as its test says; `npm run fuzz` sets HOSTSPOOL_FUZZ to a factor
 * by which every one is tried more often. Each time a new seed is drawn; a failure tells the command that tries its
 * smallest counterexample alone (fuzz-case.ts).
 */
import type { Parameters as Options } from 'fast-check';
import fc from 'fast-check';
import { nextProperty } from './fuzz-case.ts';

/** 1 in `npm test`. */
export const FUZZ_FACTOR: number = Math.max(1, Number(process.env.HOSTSPOOL_FUZZ ?? 1) || 1);

/** Of a test that is fuzzed, ms. */
export const FUZZ_LIMIT: number = 60_000 * FUZZ_FACTOR;

/** For the property that a test tries next: called within the test, once for each. */
export function runs<T>(count: number): Options<T> {
  return nextProperty(Math.round(count * FUZZ_FACTOR));
}

/** What damage does to bytes: flipped bits, other bytes, parts taken out, doubled, set to zero, or cut off. */
export type Damage = (bytes: Buffer) => Buffer;

const place = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const at = (bytes: Buffer, share: number) => Math.floor(share * (bytes.length + 1));

const oneDamage: fc.Arbitrary<Damage> = fc.oneof(
  fc.tuple(place, fc.nat(7)).map(
    ([share, bit]): Damage =>
      (bytes) => {
        const changed = Buffer.from(bytes);
        const where = Math.floor(share * bytes.length);
        if (where < bytes.length) changed[where] = (changed[where] as number) ^ (1 << bit);
        return changed;
      },
  ),
  fc.tuple(place, fc.uint8Array({ minLength: 1, maxLength: 12 })).map(
    ([share, other]): Damage =>
      (bytes) => {
        const changed = Buffer.from(bytes);
        Buffer.from(other).copy(changed, at(bytes, share));
        return changed;
      },
  ),
  fc.tuple(place, fc.constantFrom(1, 2, 4, 8), fc.constantFrom(0, 1, 0x7f, 0x80, 0xff)).map(
    ([share, count, byte]): Damage =>
      (bytes) =>
        Buffer.from(bytes).fill(byte, at(bytes, share), Math.min(bytes.length, at(bytes, share) + count)),
  ),
  fc.tuple(place, fc.nat(64), fc.uint8Array({ maxLength: 24 })).map(
    ([share, out, other]): Damage =>
      (bytes) => {
        const from = at(bytes, share);
        return Buffer.concat([bytes.subarray(0, from), other, bytes.subarray(from + out)]);
      },
  ),
  fc.tuple(place, place).map(
    ([one, other]): Damage =>
      (bytes) => {
        const [from = 0, to = 0] = [at(bytes, one), at(bytes, other)].sort((a, b) => a - b);
        return Buffer.concat([bytes.subarray(0, to), bytes.subarray(from)]);
      },
  ),
  place.map(
    (share): Damage =>
      (bytes) =>
        bytes.subarray(0, at(bytes, share)),
  ),
);

/** One to `most` of them, one after the other. */
export function damage(most = 3): fc.Arbitrary<Damage> {
  return fc.array(oneDamage, { minLength: 1, maxLength: most }).map(
    (all): Damage =>
      (bytes) =>
        all.reduce((changed, each) => each(changed), bytes),
  );
}

/**
 * Places to try out of [0, `length`): about `count` of them, spread evenly from a random one on, in `npm test`; every one
 * when the factor allows for as many. HOSTSPOOL_FUZZ_BYTE names a single one.
 */
export function places(length: number, count: number): number[] {
  const only = process.env.HOSTSPOOL_FUZZ_BYTE;
  if (only !== undefined) return [Number(only)];
  const step = Math.max(1, Math.floor(length / (count * FUZZ_FACTOR)));
  const first = Math.floor(Math.random() * step);
  return Array.from({ length: Math.ceil((length - first) / step) }, (_, index) => first + index * step);
}
