/**
 * Who of a group reads which partitions: as evenly as can be, and everybody keeps what he had as far as that allows.
 *
 * A member tells in its metadata what it was given last and in which generation. Of two that claim the same partition
 * the later generation is right: the other was away meanwhile. What a member is given depends on the claims alone, so
 * whoever leads comes to the same result.
 */
import { MemberAssignment, MemberMetadata } from 'kafkajs/src/consumer/assignerProtocol.js';

/** What members must have in common; a change of the claim's format needs another name. */
export const ASSIGNMENT_PROTOCOL = 'hostspool-balanced';

export interface Claim {
  readonly generation: number;
  readonly partitions: readonly number[];
}

export const NO_CLAIM: Claim = { generation: -1, partitions: [] };

/** Version of the protocol's own frame around our data. */
const FRAME_VERSION = 0;
const CLAIM_VERSION = 1;

/** Every member gets an entry, every partition is in one of them. */
export function assign(
  claims: ReadonlyMap<string, Claim>,
  partitions: readonly number[],
): ReadonlyMap<string, readonly number[]> {
  const members = [...claims.keys()].sort();
  const owners = ownersOf(claims, partitions);
  const given = new Map(members.map((member) => [member, [] as number[]]));
  for (const [partition, owner] of owners) given.get(owner)?.push(partition);
  const least = Math.floor(partitions.length / members.length);
  let larger = partitions.length - least * members.length;
  // Those who have most keep one more than the others, where there is one more to have.
  const byCount = [...given].sort(([, a], [, b]) => b.length - a.length);
  for (const [member, held] of byCount) {
    const most = held.length > least && larger > 0 ? least + 1 : least;
    if (most > least) larger--;
    for (const partition of held.slice(most)) owners.delete(partition);
    given.set(member, held.slice(0, most));
  }
  const free = partitions.filter((partition) => !owners.has(partition));
  for (const [, held] of given) while (held.length < least) held.push(free.shift() as number);
  for (const [, held] of given) if (held.length === least && free.length > 0) held.push(free.shift() as number);
  return new Map([...given].map(([member, held]) => [member, held.sort((a, b) => a - b)]));
}

/** Partition to the member whose claim to it is the latest. */
function ownersOf(claims: ReadonlyMap<string, Claim>, partitions: readonly number[]): Map<number, string> {
  const existing = new Set(partitions);
  const owners = new Map<number, string>();
  for (const member of [...claims.keys()].sort()) {
    const { generation, partitions: claimed } = claims.get(member) ?? NO_CLAIM;
    for (const partition of claimed) {
      const rival = owners.get(partition);
      if (!existing.has(partition)) continue;
      if (rival === undefined || (claims.get(rival)?.generation ?? -1) < generation) owners.set(partition, member);
    }
  }
  return owners;
}

export function encodeMetadata(topic: string, claim: Claim): Buffer {
  const userData = Buffer.alloc(9 + 4 * claim.partitions.length);
  userData.writeInt8(CLAIM_VERSION, 0);
  userData.writeInt32BE(claim.generation, 1);
  userData.writeInt32BE(claim.partitions.length, 5);
  claim.partitions.forEach((partition, index) => {
    userData.writeInt32BE(partition, 9 + 4 * index);
  });
  return MemberMetadata.encode({ version: FRAME_VERSION, topics: [topic], userData });
}

/** A claim that can't be read is none: the member gets what is left. */
export function decodeClaim(metadata: Buffer): Claim {
  try {
    const { userData } = MemberMetadata.decode(metadata);
    if (userData === null || userData.readInt8(0) !== CLAIM_VERSION) return NO_CLAIM;
    const count = userData.readInt32BE(5);
    if (userData.length !== 9 + 4 * count) return NO_CLAIM;
    const partitions = Array.from({ length: count }, (_, index) => userData.readInt32BE(9 + 4 * index));
    return { generation: userData.readInt32BE(1), partitions };
  } catch {
    return NO_CLAIM;
  }
}

export function encodeAssignment(topic: string, partitions: readonly number[]): Buffer {
  return MemberAssignment.encode({ version: FRAME_VERSION, assignment: { [topic]: partitions } });
}

/** In order; none when there was none for this member, or none of this topic. */
export function decodeAssignment(topic: string, encoded: Buffer): readonly number[] {
  const given = encoded.length === 0 ? null : MemberAssignment.decode(encoded);
  return [...(given?.assignment[topic] ?? [])].sort((a, b) => a - b);
}
