import { describe, expect, it } from 'vitest';
import { lastTaken, timeOf } from '../../../src/kafka/evidence.ts';
import type { FetchedBatch, FetchedMessage } from '../../../src/kafka/log-session.ts';
import { LogCheck } from '../../../src/writer/log-check.ts';

function message(offset: number, value: string | null = `m${offset}`, timestamp = 1000): FetchedMessage {
  return { offset, key: null, value: value === null ? null : Buffer.from(value), timestamp, headers: {} };
}

function answer(position: number, messages: readonly FetchedMessage[], next = position, end = next): FetchedBatch {
  return { partition: 0, position, messages, next: (messages.at(-1)?.offset ?? next - 1) + 1, end };
}

const known = lastTaken(message(9));

describe('the check of a log', () => {
  it('fetches at the last message taken, and settles when it is the same', () => {
    const check = new LogCheck(known);
    expect(check.due).toBe(true);
    expect(check.position(10)).toBe(9);
    expect(check.judge(answer(9, [message(9), message(10)]))).toBe('same');
    expect(check.due).toBe(false);
    expect(check.position(10)).toBe(10);
  });

  it('knows another message by its value or its time', () => {
    expect(new LogCheck(known).judge(answer(9, [message(9, 'other')]))).toBe('other');
    expect(new LogCheck(known).judge(answer(9, [message(9, 'm9', 1001)]))).toBe('other');
    expect(new LogCheck(lastTaken(message(9, null))).judge(answer(9, [message(9, null)]))).toBe('same');
  });

  it('takes a message that is gone for no evidence', () => {
    const check = new LogCheck(known);
    expect(check.judge(answer(9, [message(12)]))).toBe('same');
    expect(check.hasEvidence).toBe(false);
    check.demand();
    expect(check.due).toBe(false);
  });

  it('asks behind it where nothing is told, and comes back', () => {
    const check = new LogCheck(known);
    expect(check.judge(answer(9, []))).toBe('undecided');
    expect(check.position(10)).toBe(10);
    expect(check.judge(answer(10, [message(10)]))).toBe('undecided');
    expect(check.position(10)).toBe(9);
    expect(check.judge(answer(9, [message(9)]))).toBe('same');
  });

  it('asks again for what is there and had no room in the answer', () => {
    const check = new LogCheck(known);
    expect(check.judge({ ...answer(9, []), end: 12 })).toBe('undecided');
    expect(check.position(10)).toBe(9);
  });

  it('knows a log that ends before it, but not one that merely seemed to', () => {
    expect(new LogCheck(known).outOfRange('above')).toBe('other');
    const check = new LogCheck(known);
    expect(check.outOfRange('within')).toBe('undecided');
    expect(check.due).toBe(true);
    expect(new LogCheck(undefined).outOfRange('within')).toBe('other');
    expect(new LogCheck(known).outOfRange('below')).toBe('same');
  });

  it('keeps times that a database can hold', () => {
    expect([-1, 5, 9e15].map((timestamp) => timeOf({ timestamp }))).toEqual([
      0,
      5,
      Date.UTC(9999, 11, 31, 23, 59, 59, 999),
    ]);
  });
});
