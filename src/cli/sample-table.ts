/** A reading as tables for people: a block per subject, units beside the values, nothing for what is not known. */
import { formatDuration, formatSize } from '../lib/units.ts';
import type { HostReading } from '../sample/sample.ts';

type Row = readonly [name: string, value: string | undefined];
type Column = { readonly title: string; readonly right?: true };

const GAP = '  ';
/** Names of mounts and interfaces are other people's text: none of it may steer the terminal. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: that is what it looks for
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/g;

export function renderReading(reading: HostReading): string {
  const blocks = [...scalarBlocks(reading), ...detailBlocks(reading)];
  return `${blocks.join('\n\n')}\n`;
}

function scalarBlocks(reading: HostReading): string[] {
  const groups: readonly [string, readonly Row[]][] = [
    [
      reading.cpu_count === undefined ? 'CPU' : `CPU (${reading.cpu_count})`,
      [
        ['busy', percent(reading.cpu_percent)],
        ['user', percent(reading.cpu_user_percent)],
        ['system', percent(reading.cpu_system_percent)],
        ['waiting for I/O', percent(reading.cpu_iowait_percent)],
        ['stolen', percent(reading.cpu_steal_percent)],
        ['load 1, 5, 15 min', loads(reading)],
      ],
    ],
    [
      'Memory',
      [
        ['used', usedOf(reading.memory_used_mb, reading.memory_total_mb, 'MiB', reading.memory_percent)],
        ['available', amount(reading.memory_available_mb, 'MiB')],
        ['swap used', usedOf(reading.swap_used_mb, reading.swap_total_mb, 'MiB', reading.swap_percent)],
      ],
    ],
    [
      'Disk',
      [
        ['root used', usedOf(reading.disk_used_gb, reading.disk_total_gb, 'GiB', reading.disk_percent)],
        ['read since boot', bytes(reading.disk_read_bytes)],
        ['written since boot', bytes(reading.disk_write_bytes)],
      ],
    ],
    [
      'Network',
      [
        ['sent since boot', bytes(reading.network_bytes_sent)],
        ['received since boot', bytes(reading.network_bytes_recv)],
      ],
    ],
    [
      'Pressure, last 10 s',
      [
        ['CPU, some', percent(reading.pressure_cpu_some_percent)],
        ['memory, some', percent(reading.pressure_memory_some_percent)],
        ['memory, all', percent(reading.pressure_memory_full_percent)],
        ['I/O, some', percent(reading.pressure_io_some_percent)],
        ['I/O, all', percent(reading.pressure_io_full_percent)],
      ],
    ],
    [
      'System',
      [
        [
          'up',
          reading.uptime_seconds === undefined ? undefined : formatDuration(Math.floor(reading.uptime_seconds) * 1000),
        ],
        ['processes', reading.process_count?.toString()],
      ],
    ],
  ];
  const width = Math.max(...groups.flatMap(([, rows]) => rows.map(([name]) => name.length)));
  return groups.flatMap(([title, rows]) => {
    const known = rows.filter(([, value]) => value !== undefined);
    const lines = known.map(([name, value]) => `  ${name.padEnd(width)}${GAP}${value}`);
    return lines.length === 0 ? [] : [[title, ...lines].join('\n')];
  });
}

function detailBlocks({ filesystems = [], interfaces = [], disks = [] }: HostReading): string[] {
  return [
    block(
      [{ title: 'Filesystem' }, { title: 'device' }, { title: 'type' }, right('used GiB'), right('of GiB'), right('%')],
      filesystems.map((f) => [f.mount, f.device, f.type, fixed(f.used_gb), fixed(f.total_gb), fixed(f.percent)]),
    ),
    block(
      [{ title: 'Interface' }, right('sent'), right('received'), right('errors'), right('drops')],
      interfaces.map((i) => [i.name, formatSize(i.bytes_sent), formatSize(i.bytes_recv), `${i.errors}`, `${i.drops}`]),
    ),
    block(
      [{ title: 'Disk' }, right('read'), right('written'), right('reads'), right('writes')],
      disks.map((d) => [d.name, formatSize(d.read_bytes), formatSize(d.write_bytes), `${d.reads}`, `${d.writes}`]),
    ),
  ].filter((text) => text !== '');
}

function right(title: string): Column {
  return { title, right: true };
}

/** Columns as wide as their widest cell; '' without rows. */
function block(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return '';
  const cells = [
    columns.map(({ title }) => title),
    ...rows.map((row) => row.map((cell) => cell.replace(CONTROL, '?'))),
  ];
  const widths = columns.map((_, i) => Math.max(...cells.map((row) => row[i]?.length ?? 0)));
  const aligned = (cell: string, i: number) =>
    columns[i]?.right ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0);
  return cells.map((row) => row.map(aligned).join(GAP).trimEnd()).join('\n');
}

function fixed(value: number): string {
  return value.toFixed(2);
}

function percent(value: number | undefined): string | undefined {
  return value === undefined ? undefined : `${fixed(value).padStart(6)} %`;
}

function amount(value: number | undefined, unit: string): string | undefined {
  return value === undefined ? undefined : `${fixed(value)} ${unit}`;
}

function usedOf(used?: number, total?: number, unit?: string, share?: number): string | undefined {
  if (used === undefined || total === undefined || share === undefined) return undefined;
  return `${percent(share)}  ${fixed(used)} of ${fixed(total)} ${unit}`;
}

function bytes(value: number | undefined): string | undefined {
  return value === undefined ? undefined : `${value} bytes (${formatSize(value)})`;
}

function loads({ load_1, load_5, load_15 }: HostReading): string | undefined {
  const averages = [load_1, load_5, load_15].filter((value) => value !== undefined);
  return averages.length < 3 ? undefined : averages.map(fixed).join('  ');
}
