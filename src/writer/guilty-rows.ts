/**
 * Finds the rows that the database refuses, by rehearsals: loads of some of the rows that are rolled back.
 *
 *   all refused ─▶ none at all? ── refused too ─▶ it is not the rows
 *                       │
 *                  halve, and halve what is refused, until a row stands alone ─▶ guilty
 *                       │
 *                  too many are guilty ─▶ it is not the rows (a column was dropped, a filegroup is full …)
 *
 * The bound makes it end early: a database that refuses everything would otherwise be asked about every single row,
 * and the whole topic would become dead letters. Nothing is given up here; whoever asked decides.
 *
 * An error that nobody can name may be a trouble that passes, and a row that stands alone at that moment would be taken
 * for guilty: it is asked about once more, after no rows at all.
 */
import { asError } from '../lib/errors.ts';
import type { DecodedSample } from '../sample/decode.ts';
import { failureKind, speaksOfData } from './load-failure.ts';

export interface GuiltyRow {
  readonly row: DecodedSample;
  readonly error: Error;
}

export type Findings =
  | { readonly kind: 'rows'; readonly guilty: readonly GuiltyRow[] }
  /** It is not the rows; `error` is what the database says. */
  | { readonly kind: 'not the rows'; readonly error: Error };

/** So many guilty rows are believed in any load, and this share of a large one. */
const MOST_GUILTY = 10;
const GUILTY_SHARE = 0.01;

export function mostGuilty(rows: number): number {
  return Math.max(MOST_GUILTY, Math.floor(rows * GUILTY_SHARE));
}

/**
 * `rehearse`: resolves where the database would take these rows, rejects where it would not. An error that does not
 * speak of the rows is thrown on: then nothing was found out.
 */
export async function findGuiltyRows(
  rows: readonly DecodedSample[],
  rehearse: (rows: readonly DecodedSample[]) => Promise<void>,
): Promise<Findings> {
  const none = await refusal([], rehearse);
  if (none !== undefined) return { kind: 'not the rows', error: none };
  const most = mostGuilty(rows.length);
  const guilty: GuiltyRow[] = [];
  // The half to look at next is the last; each was refused as a whole, or not asked about yet.
  const open: (readonly DecodedSample[])[] = [rows];
  for (let part = open.pop(); part !== undefined; part = open.pop()) {
    if (part.length === 0) continue;
    const error = await refusal(part, rehearse);
    if (error === undefined) continue;
    const [row] = part;
    if (part.length === 1 && row !== undefined) {
      if (failureKind(error) === 'unknown') {
        const trouble = await refusal([], rehearse);
        if (trouble !== undefined) return { kind: 'not the rows', error: trouble };
        if ((await refusal(part, rehearse)) === undefined) continue;
      }
      guilty.push({ row, error });
      if (guilty.length > most) return { kind: 'not the rows', error };
    } else {
      const middle = part.length >>> 1;
      open.push(part.slice(middle), part.slice(0, middle));
    }
  }
  return { kind: 'rows', guilty };
}

async function refusal(
  rows: readonly DecodedSample[],
  rehearse: (rows: readonly DecodedSample[]) => Promise<void>,
): Promise<Error | undefined> {
  try {
    await rehearse(rows);
    return undefined;
  } catch (thrown) {
    const error = asError(thrown);
    if (!speaksOfData(error)) throw error;
    return error;
  }
}
