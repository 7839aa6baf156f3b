/**
 * The durable queue between taking a sample and its acknowledgement. Every sample that got an identity here is in the
 * file, or was acknowledged, or its loss is on record: nothing leaves silently.
 *
 *   identify ──▶ append ──▶ │ file, oldest first │ ──▶ read ──▶ acknowledge    (deleted)
 *     seq in      tail,     │                    │         ├──▶ release        (stays)
 *     memory      commit    └── bounds: evict ───┘         └──▶ refuse         (note)
 *                   └ failed: a hole, noted by the next write that succeeds
 *
 * The order of an append: (1) the number goes into the tail file, so that a death from here on is noticed; (2) room is
 * made within the bounds; (3) the row is committed, and with it whatever memory owes the file. One drainer reads; what
 * it holds is not evicted. There is no in-flight state on disk: what was not deleted is read again after a restart.
 *
 * Nothing here throws because of a disk once the spool is open; see guarded-store.ts for what happens instead. Only
 * `open` refuses: a spool that another process holds, that a newer hostspool made, or that is not ours to write; and
 * `identify`, once another process got the spool since the lock file was deleted.
 */
import { asError } from '../lib/errors.ts';
import { UuidSource, uuidToBytes } from '../sample/identity.ts';
import type { LossReason } from '../sample/note.ts';
import type { SampleIdentity } from '../sample/sample.ts';
import { AgeRule } from './age.ts';
import { Bounds } from './bounds.ts';
import { sampleChecksum } from './checksum.ts';
import { type SpoolFiles, spoolFiles } from './files.ts';
import { GuardedStore } from './guarded-store.ts';
import { GuardedTail } from './guarded-tail.ts';
import { Journal } from './journal.ts';
import { SpoolLock } from './lock.ts';
import type { PendingNote } from './notes.ts';
import { Outlet, type ReadLimits, type SpooledSample } from './outlet.ts';
import { Permissions } from './permissions.ts';
import { type SpoolPorts, systemPorts } from './ports.ts';
import { isSetAside } from './quarantine.ts';
import { openingError, refuseForeign } from './refusal.ts';
import { Reserve } from './reserve.ts';
import { forgetRuns } from './runs.ts';
import type { ShippingState } from './shipping-state.ts';
import { type SpoolSnapshot, snapshotWithin } from './snapshot.ts';
import type { SpoolOptions } from './spool-options.ts';
import { Trimmer } from './trimmer.ts';
import { checkpoint, giveBack } from './upkeep.ts';

export type { PendingNote } from './notes.ts';
export type { SpooledSample } from './outlet.ts';
export type { ShippingState } from './shipping-state.ts';
export type { SpoolOptions } from './spool-options.ts';

/** How soon it shows at the latest that files were deleted or moved away, ms; not at every sample that comes faster. */
const LOOK_EVERY_MS = 1000;

export class Spool {
  readonly runId: string;
  readonly #options: SpoolOptions;
  readonly #ports: SpoolPorts;
  readonly #permissions: Permissions;
  readonly #lock: SpoolLock;
  readonly #tail: GuardedTail;
  readonly #reserve: Reserve;
  readonly #bounds: Bounds;
  readonly #age: AgeRule;
  readonly #journal: Journal;
  readonly #outlet: Outlet;
  readonly #trimmer: Trimmer;
  readonly #uuids: UuidSource;
  /** Another spool tells of its runs; see quarantine.ts. */
  readonly #setAside: boolean;
  #seq = 0;
  #lookedAt = Number.NEGATIVE_INFINITY;
  #closed = false;

  private constructor(options: SpoolOptions, files: SpoolFiles, permissions: Permissions, lock: SpoolLock) {
    const { clock, log, synchronous } = options;
    const ports = options.ports ?? systemPorts;
    this.#options = options;
    this.#setAside = isSetAside(options.path);
    this.#ports = ports;
    this.#permissions = permissions;
    this.#lock = lock;
    this.#uuids = new UuidSource(() => clock.now());
    this.runId = this.#uuids.next();
    this.#tail = new GuardedTail({ path: files.tail, bootId: clock.bootId(), mode: permissions.fileMode, log });
    this.#reserve = new Reserve(files.reserve, permissions.fileMode);
    this.#bounds = new Bounds({
      path: options.path,
      maxBytes: options.maxBytes,
      minFree: options.minFree,
      ports,
      clock,
      log,
    });
    this.#age = new AgeRule(clock);
    const tails = () => ({
      tail: this.#knownTail(),
      kept: [...this.#tail.kept, ...this.#tail.earlier.filter(({ begun }) => begun)],
    });
    const common = { files, synchronous, permissions, reserve: this.#reserve, ports, clock, log, tails };
    this.#journal = new Journal({
      spool: options,
      newId: this.#uuids.next(),
      runId: this.runId,
      ports,
      tail: this.#tail,
      bounds: this.#bounds,
      guard: (opened) => new GuardedStore({ ...common, opened }),
    });
    this.#outlet = new Outlet({ journal: this.#journal, hostname: options.hostname, clock, log });
    this.#trimmer = new Trimmer({
      journal: this.#journal,
      outlet: this.#outlet,
      bounds: this.#bounds,
      age: this.#age,
      maxAge: options.maxAge,
      clock,
    });
  }

  /**
   * Opens the spool, makes it where it is missing, ends what earlier runs left open and begins a run. Throws
   * SPOOL_LOCKED, SPOOL_NEWER_SCHEMA, SPOOL_PERMISSION, SPOOL_READ_ONLY, SPOOL_GROUP, SPOOL_FOREIGN or SPOOL_OPEN; a full disk or a
   * damaged file does not stop it.
   */
  static open(options: SpoolOptions): Spool {
    const files = spoolFiles(options.path);
    const ports = options.ports ?? systemPorts;
    let lock: SpoolLock | undefined;
    let spool: Spool | undefined;
    try {
      const permissions = new Permissions(files, options.group);
      refuseForeign(files);
      permissions.prepare();
      lock = SpoolLock.take(files, ports, options.log);
      ports.reached('open:locked');
      spool = new Spool(options, files, permissions, lock);
      spool.#open();
      return spool;
    } catch (error) {
      if (spool !== undefined) spool.close(false);
      else lock?.release();
      throw openingError(options.path, error);
    }
  }

  /** Identifies the spool file: made with it, kept over restarts. */
  get id(): string {
    return this.#journal.id;
  }

  /** Samples in the spool. */
  get depth(): number {
    return this.#journal.contents.depth;
  }

  /** Bytes it takes of the disk: pages in use and the write-ahead log. */
  get bytes(): number {
    return this.#bounds.bytes;
  }

  /** Age of the oldest sample, in seconds; 0 when there is none. */
  oldestAgeSeconds(): number {
    const { oldest } = this.#journal.contents;
    return oldest === undefined ? 0 : this.#age.shown(oldest) / 1000;
  }

  /**
   * The identity of a sample that is taken now. To be appended before the next. Throws SPOOL_LOCKED, and gives no
   * number, once another process has the spool: this one must end.
   */
  identify(): SampleIdentity {
    this.#look();
    return { event_id: this.#uuids.next(), run_id: this.runId, seq: ++this.#seq };
  }

  /**
   * Stores a sample. True: it is durable. False: it could not be stored; the hole becomes a note with the next write
   * that succeeds. `takenAt`: wall clock, ms.
   */
  append(identity: SampleIdentity, takenAt: number, payload: string): boolean {
    const { clock, purpose } = this.#options;
    const journal = this.#journal;
    const { seq } = identity;
    if (purpose !== 'agent' || this.#closed) throw new TypeError('this spool takes no samples');
    if (identity.run_id !== this.runId || seq <= journal.settled || seq > this.#seq) {
      throw new RangeError(`sample ${seq} is not the next of run ${this.runId}`);
    }
    this.#tail.write(seq);
    this.#ports.reached('append:tail');
    this.#skipped(seq - 1);
    const size = Buffer.byteLength(payload);
    this.#trimmer.makeRoom(size);

    const eventId = uuidToBytes(identity.event_id);
    const taken = Math.round(takenAt);
    const monotonic = Math.round(clock.monotonic());
    const crc = sampleChecksum({
      run_id: journal.runBytes,
      seq,
      event_id: eventId,
      taken_at: taken,
      monotonic_at: monotonic,
      payload,
    });
    let id = 0;
    const stored = journal.write((store) => {
      const { lastInsertRowid } = store.insert.run(journal.runBytes, seq, eventId, taken, monotonic, crc, payload);
      id = Number(lastInsertRowid);
      return 0;
    }, true);
    if (stored) {
      journal.contents.appended(id, taken, monotonic);
      this.#outlet.stored({ id, hostname: this.#options.hostname, identity, takenAt: taken, payload });
      this.#bounds.appended(size);
    } else {
      journal.owed.hole(seq, seq, this.#holeReason());
    }
    journal.settle(seq);
    this.#ports.reached('append:stored');
    return stored;
  }

  /**
   * The oldest samples, in order and checked; at least one if there is any, even one larger than `bytes`. They are with
   * the drainer, and not evicted, until `acknowledge` or `release`. Damaged ones have become notes.
   */
  read(limits: ReadLimits): readonly SpooledSample[] {
    return this.#outlet.read(limits);
  }

  /**
   * The drainer waits for more before it reads: until then, or `release`, nothing of what waits is evicted to keep the
   * file from growing, since it is about to leave.
   */
  spare(): void {
    this.#outlet.spare();
  }

  /** The oldest notes; they don't change until `acknowledge` or `release`. None of a spool that was set aside. */
  notes(limit: number): readonly PendingNote[] {
    return this.#setAside ? [] : this.#outlet.notes(limit);
  }

  /**
   * Every broker has the samples up to this id, and the notes: they are deleted, in one transaction that
   * a power cut may undo (then they are sent again). If the file can't
   * be written now they are not read again in this process, and deleted with the next write that succeeds.
   */
  acknowledge(upTo: number, noteIds: readonly number[], shipping?: ShippingState): void {
    if (shipping !== undefined) this.#journal.saveShipping(shipping);
    this.#outlet.acknowledge(upTo, noteIds);
    this.#journal.read((store) => this.#bounds.measure(store));
  }

  /**
   * The same for all that is in the spool, as what is sent is while all goes well: it is deleted by the transaction of
   * the next append instead of one of its own. Until then the tail file says that it is acknowledged: `--status` and the
   * next start go by that, and where even that is lost it is sent again. Answers false, and does nothing, where it can't
   * be done so.
   */
  acknowledgeAll(samples: readonly SpooledSample[], shipping: ShippingState): boolean {
    const journal = this.#journal;
    if (journal.shipping.state !== 'idle' || !journal.mayRide(samples)) return false;
    journal.acknowledgeAll(samples);
    journal.saveShipping(shipping);
    this.#outlet.release();
    for (const { bytes, payload } of samples) this.#bounds.acknowledged(bytes?.length ?? Buffer.byteLength(payload));
    return true;
  }

  /** The sending failed: nothing is with the drainer any more. */
  release(): void {
    this.#outlet.release();
  }

  /** Gives up a sample: it is deleted and noted, in one transaction. */
  refuse(sample: SpooledSample, reason: LossReason): void {
    this.#outlet.refuse(sample, reason);
  }

  /** The time between two samples is another from now on, ms; `--status` judges by it. */
  setInterval(interval: number): void {
    this.#journal.setInterval(interval);
  }

  /** Leaves word of how shipping goes, for `--status`. */
  saveShipping(state: ShippingState): void {
    this.#journal.saveShipping(state);
    this.#journal.settleDebts();
  }

  /** As last saved; the total goes on over restarts. */
  shipping(): ShippingState {
    return { ...this.#journal.shipping };
  }

  /** Samples ever lost, by reason; nothing while the file can't be read. */
  losses(): ReadonlyMap<string, number> {
    const [losses] = this.#journal.read((store) => store.losses());
    return losses ?? new Map();
  }

  /**
   * What a look from outside would see, through this process's own connection: opening the file once more would be
   * more work, and closing it could cost the locks on it. Undefined while the file can't be read.
   */
  look(): SpoolSnapshot | undefined {
    const { path, clock } = this.#options;
    const [snapshot] = this.#journal.read((store) => snapshotWithin(path, store.database, clock, this.depth));
    return snapshot;
  }

  /** Upkeep between two samples, to be called every few seconds. Answers how many bytes the filesystem got back. */
  maintain(): number {
    const { purpose, clock } = this.#options;
    const journal = this.#journal;
    if (this.#closed) return 0;
    this.#age.observe();
    this.#bounds.observe();
    this.#look();
    if (purpose === 'agent') {
      journal.reopenTail();
      this.#makeReserve();
    }
    if (!journal.begun || !journal.owed.isEmpty) journal.write();
    if (purpose === 'agent') this.#trimmer.expire();
    const [given = 0] = journal.read((store) => {
      // First the tail file: a tail without its run would be taken for a spool that is gone. A drain leaves it as it is.
      if (purpose === 'agent' && journal.begun && this.#tail.isOpen) {
        forgetRuns(store, (lasting, done) => this.#tail.keep(lasting, done));
      }
      const bytes = this.#bounds.low ? 0 : giveBack(store, clock);
      checkpoint(store, bytes);
      this.#bounds.measure(store);
      return bytes;
    });
    return given;
  }

  /** Closes it, once. Clean: the run ends in order. Otherwise nothing is written: it is as if the process had died. */
  close(clean: boolean): void {
    if (this.#closed) return;
    try {
      if (clean) this.#end();
    } finally {
      this.#closed = true;
      this.#journal.close();
      this.#tail.close();
      this.#lock.release();
    }
  }

  /** Looks, once a second, whether what this process holds is still what lies at the paths. */
  #look(): void {
    const { clock, log } = this.#options;
    const now = clock.monotonic();
    if (this.#closed || now - this.#lookedAt < LOOK_EVERY_MS) return;
    this.#lookedAt = now;
    this.#lock.keep(log);
    this.#journal.watch();
  }

  #end(): void {
    if (this.#options.purpose === 'agent') {
      this.#skipped(this.#seq);
      this.#journal.end();
    } else if (!this.#journal.owed.isEmpty) {
      this.#journal.write();
    }
  }

  #open(): void {
    const { purpose } = this.#options;
    this.#tail.open();
    this.#journal.open();
    if (purpose === 'agent') this.#makeReserve();
    this.#permissions.secure();
  }

  /** What is known of the newest run beside the spool file: of this one, unless earlier ones are not settled yet. */
  #knownTail(): { runId: string; seq: number } | undefined {
    const earlier = this.#tail.earlier.filter((tail) => tail.begun).at(-1);
    if (earlier !== undefined) return { runId: earlier.runId, seq: earlier.seq };
    const { settled } = this.#journal;
    return settled === 0 ? undefined : { runId: this.runId, seq: settled };
  }

  /** Samples up to this one that got an identity and were never appended. */
  #skipped(upTo: number): void {
    const journal = this.#journal;
    if (upTo <= journal.settled) return;
    journal.owed.hole(journal.settled + 1, upTo, 'spool_unwritable');
    journal.settle(upTo);
  }

  #holeReason(): LossReason {
    return this.#journal.failing === 'full' ? 'disk_full' : 'spool_unwritable';
  }

  #makeReserve(): void {
    const { log, path } = this.#options;
    if (this.#reserve.made) return;
    this.#bounds.observe(true);
    if (!this.#bounds.roomForReserve) return;
    if (!this.#reserve.make()) return;
    log.debug({ event: 'spool_reserve_made', path });
    try {
      this.#permissions.secure();
    } catch (error) {
      log.warn({ event: 'spool_permissions', err: asError(error) });
    }
  }
}
