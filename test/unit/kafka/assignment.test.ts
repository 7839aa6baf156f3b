import fc from 'fast-check';
import { MemberAssignment, MemberMetadata } from 'kafkajs/src/consumer/assignerProtocol.js';
import { describe, expect, it } from 'vitest';
import {
  assign,
  type Claim,
  decodeAssignment,
  decodeClaim,
  encodeAssignment,
  encodeMetadata,
  NO_CLAIM,
} from '../../../src/kafka/assignment.ts';

const partitionsOf = (count: number) => Array.from({ length: count }, (_, partition) => partition);
const claim = fc.record({
  generation: fc.integer({ min: -1, max: 5 }),
  partitions: fc.uniqueArray(fc.nat(30), { maxLength: 12 }),
});
const group = fc
  .uniqueArray(fc.string({ minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 7 })
  .chain((members) =>
    fc
      .array(claim, { minLength: members.length, maxLength: members.length })
      .map((claims) => new Map<string, Claim>(members.map((member, index) => [member, claims[index] as Claim]))),
  );

describe('an assignment', () => {
  it('gives every partition to one member, as evenly as can be, whatever they claim', () => {
    fc.assert(
      fc.property(group, fc.nat(25), (claims, count) => {
        const given = assign(claims, partitionsOf(count));
        expect([...given.keys()].sort()).toEqual([...claims.keys()].sort());
        expect([...given.values()].flat().sort((a, b) => a - b)).toEqual(partitionsOf(count));
        const sizes = [...given.values()].map(({ length }) => length);
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
      }),
      { numRuns: 1000 },
    );
  });

  it('is the same whoever makes it', () => {
    fc.assert(
      fc.property(group, fc.nat(25), (claims, count) => {
        const reversed = new Map([...claims].reverse());
        const sorted = (given: ReadonlyMap<string, readonly number[]>) => [...given].sort();
        expect(sorted(assign(reversed, partitionsOf(count)))).toEqual(sorted(assign(claims, partitionsOf(count))));
      }),
    );
  });

  it('changes nothing when nothing has changed', () => {
    fc.assert(
      fc.property(group, fc.nat(25), (claims, count) => {
        const first = assign(claims, partitionsOf(count));
        const again = new Map([...first].map(([member, partitions]) => [member, { generation: 6, partitions }]));
        expect(assign(again, partitionsOf(count))).toEqual(first);
      }),
    );
  });

  it('moves no more than is needed when a member comes or goes', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 6 }), fc.nat(25), fc.boolean(), (size, count, comes) => {
        const members = partitionsOf(size + 1).map((n) => `member-${n}`);
        const [before, after] = comes ? [members.slice(1), members] : [members, members.slice(1)];
        const none = new Map((before as string[]).map((member) => [member, NO_CLAIM]));
        const first = assign(none, partitionsOf(count));
        const claims = new Map(
          (after as string[]).map((member) => [member, { generation: 1, partitions: first.get(member) ?? [] }]),
        );
        const second = assign(claims, partitionsOf(count));
        const moved = [...second].flatMap(([member, held]) =>
          held.filter((each) => !first.get(member)?.includes(each)),
        );
        const needed = comes ? (second.get('member-0') ?? []).length : (first.get('member-0') ?? []).length;
        expect(moved.length).toBe(needed);
      }),
    );
  });

  it('believes the later of two that claim the same', () => {
    const claims = new Map<string, Claim>([
      ['a', { generation: 4, partitions: [0, 1] }],
      ['b', { generation: 7, partitions: [0, 1] }],
      ['c', { generation: 5, partitions: [1, 2] }],
    ]);
    expect(assign(claims, partitionsOf(6)).get('b')).toEqual([0, 1]);
    expect(assign(claims, partitionsOf(6)).get('c')).toContain(2);
  });

  it('forgets partitions that are no more', () => {
    const claims = new Map<string, Claim>([['a', { generation: 1, partitions: [5, 6, 7] }]]);
    expect(assign(claims, [0, 1])).toEqual(new Map([['a', [0, 1]]]));
  });
});

describe('what members and the coordinator are told', () => {
  it('is a claim that is read as it was written', () => {
    fc.assert(
      fc.property(claim, (given) => {
        expect(decodeClaim(encodeMetadata('some.topic', given))).toEqual(given);
      }),
    );
  });

  it('is in the form that Kafka’s tools read', () => {
    expect(MemberMetadata.decode(encodeMetadata('t', NO_CLAIM))).toMatchObject({ version: 0, topics: ['t'] });
    expect(MemberAssignment.decode(encodeAssignment('t', [1, 2]))).toMatchObject({ assignment: { t: [1, 2] } });
  });

  it('is no claim where it cannot be read', () => {
    const withData = (userData: Buffer) => MemberMetadata.encode({ version: 0, topics: ['t'], userData });
    for (const metadata of [
      Buffer.alloc(0),
      Buffer.from('nonsense'),
      withData(Buffer.alloc(0)),
      withData(Buffer.from([2, 0, 0, 0, 1, 0, 0, 0, 0])),
      withData(Buffer.from([1, 0, 0, 0, 1, 0, 0, 0, 5])),
      withData(Buffer.from([1, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff])),
    ]) {
      expect(decodeClaim(metadata)).toEqual(NO_CLAIM);
    }
  });

  it('is an assignment in order, or none', () => {
    expect(decodeAssignment('t', encodeAssignment('t', [3, 1, 2]))).toEqual([1, 2, 3]);
    expect(decodeAssignment('other', encodeAssignment('t', [1]))).toEqual([]);
    expect(decodeAssignment('t', Buffer.alloc(0))).toEqual([]);
  });
});
