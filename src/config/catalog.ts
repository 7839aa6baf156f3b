/**
 * The settings as a flat list, read off the schema: what the loader, the flags, the documents and `hostspool config`
 * iterate over, so that none of them keeps a list of its own.
 */
import type { z } from 'zod';
import type { KindMeta } from './kinds.ts';
import { settingsSchema } from './schema.ts';

export interface SettingEntry extends KindMeta {
  /** The one dotted name, `spool.max_bytes`. */
  readonly name: string;
  /** The dotted name of its group, '' at the root. */
  readonly group: string;
  /** Its environment variable, `HOSTSPOOL_SPOOL_MAX_BYTES`. */
  readonly variable: string;
  readonly description: string;
  /** The default as a person would write it; undefined where there is none or it is derived. */
  readonly default: unknown;
  /** What the default is derived from, in words. */
  readonly derived: string | undefined;
  /** A value for the example file, as YAML. */
  readonly example: string | undefined;
  /** Whether a SIGHUP changes it in a running agent. */
  readonly live: boolean;
  /** Whether it is never printed. */
  readonly secret: boolean;
  /** Whether the parser takes this written value. */
  accepts(given: unknown): boolean;
}

export interface GroupEntry {
  /** Dotted name, '' for the root. */
  readonly name: string;
  readonly description: string;
}

interface Catalog {
  readonly settings: readonly SettingEntry[];
  readonly groups: readonly GroupEntry[];
}

interface Unwrapped {
  readonly core: z.core.$ZodType;
  readonly meta: Readonly<Record<string, unknown>>;
  readonly default: unknown;
}

/** Takes off `prefault` and `optional`, collecting the metadata of each layer; the outer one wins. */
function unwrap(schema: z.ZodType): Unwrapped {
  const definition = schema.def as { type: string; innerType?: z.ZodType; defaultValue?: unknown };
  const own = schema.meta() ?? {};
  if (definition.innerType === undefined || !['prefault', 'optional'].includes(definition.type)) {
    return { core: schema, meta: own, default: undefined };
  }
  const inner = unwrap(definition.innerType);
  const given = definition.type === 'prefault' ? definition.defaultValue : inner.default;
  return { core: inner.core, meta: { ...inner.meta, ...own }, default: given };
}

function readCatalog(): Catalog {
  const settings: SettingEntry[] = [];
  const groups: GroupEntry[] = [];
  const visit = (shape: Readonly<Record<string, z.ZodType>>, group: string): void => {
    for (const [key, schema] of Object.entries(shape)) {
      const name = group === '' ? key : `${group}.${key}`;
      const { core, meta, default: given } = unwrap(schema);
      const { type, shape: members } = core._zod.def as { type: string; shape?: Record<string, z.ZodType> };
      if (type === 'object' && members !== undefined) {
        groups.push({ name, description: String(meta.description) });
        visit(members, name);
      } else {
        settings.push(entry(name, group, schema, meta, given));
      }
    }
  };
  visit(settingsSchema.shape, '');
  return { settings, groups: [{ name: '', description: 'What this process does.' }, ...groups] };
}

function entry(
  name: string,
  group: string,
  schema: z.ZodType,
  meta: Readonly<Record<string, unknown>>,
  given: unknown,
): SettingEntry {
  const text = (key: string) => (typeof meta[key] === 'string' ? meta[key] : undefined);
  return {
    ...(meta as unknown as KindMeta),
    name,
    group,
    variable: `HOSTSPOOL_${name.toUpperCase().replaceAll('.', '_')}`,
    description: text('description') ?? '',
    default: given,
    derived: text('derived'),
    example: text('example'),
    live: meta.live === true,
    secret: meta.kind === 'secret',
    accepts: (value) => schema.safeParse(value).success,
  };
}

const catalog = readCatalog();

/** Every setting, in the schema's order. */
export const settingEntries: readonly SettingEntry[] = catalog.settings;

/** The root and every group, in the schema's order; a group comes before the groups in it. */
export const groupEntries: readonly GroupEntry[] = catalog.groups;

const byName: ReadonlyMap<string, SettingEntry> = new Map(settingEntries.map((setting) => [setting.name, setting]));

export function findSetting(name: string): SettingEntry | undefined {
  return byName.get(name);
}

export function isGroup(name: string): boolean {
  return groupEntries.some((group) => group.name === name);
}
