/** What can go wrong with a SQL Server, as far as its double can play it: on the network, in the process, in a load. */
import type { Deed } from '../../support/tds/faults.ts';
import type { Fault, FaultContext } from '../fault.ts';
import { networkFaults } from './network-faults.ts';
import type { TdsStormDatabase } from './tds.ts';

/** The steps of a load, its staging and its beginning and end. */
const PLACES = [
  'connect',
  'login',
  'read-offsets',
  'read-runs',
  'read-gaps',
  'stage-tables',
  'empty-tables',
  'insert bulk #stage',
  'rows #stage',
  'rows #fence',
  'rows #runs',
  'load',
  'begin-offsets',
  'move-offsets',
  'check-fence',
  'drop-known',
  'insert-rows',
  'insert-runs',
  'update-runs',
  'check-runs',
  'gaps-gone',
  'gaps-come',
  'hosts-new',
  'hosts-heard',
  'hosts-add',
  'end',
] as const;
/** Where the load has been committed and only its answer is missing. */
const ANSWERS = ['load', 'end'] as const;

/** Deadlock victim, lock timeout, duplicate key, log full, failover, and the like: what passes by itself. */
const PASSING_ERRORS = [1205, 1222, 2627, 9002, 40613, 41301] as const;

export function serverFaults(database: TdsStormDatabase): Fault[] {
  const { server } = database;
  const strike = (deed: Deed, at: string, { note }: FaultContext) => {
    note(`at ${at}: ${JSON.stringify(deed)}`);
    return server.fault({ ...deed, at });
  };
  return [
    {
      name: 'the connection is dropped at a step of a load',
      on: 'database',
      weight: 4,
      run: async (context) => {
        const when = context.random.pick(['before', 'after'] as const);
        await strike({ do: 'drop', when }, context.random.pick(PLACES), context);
      },
    },
    {
      name: 'the answer to a load is lost',
      on: 'database',
      weight: 3,
      run: async (context) => {
        const when = context.random.pick(['answer', 'torn', 'cut-packet'] as const);
        await strike({ do: 'drop', when }, context.random.pick(ANSWERS), context);
      },
    },
    {
      name: 'the connection is dropped in the middle of a bulk load',
      on: 'database',
      weight: 2,
      run: (context) =>
        strike({ do: 'drop', when: 'rows', rows: context.random.integer(1, 20) }, 'rows #stage', context).then(
          () => {},
        ),
    },
    {
      name: 'a step of a load is refused with an error that passes',
      on: 'database',
      weight: 4,
      run: async (context) => {
        const number = context.random.pick(PASSING_ERRORS);
        await strike({ do: 'error', number }, context.random.pick(PLACES.slice(PLACES.indexOf('load'))), context);
      },
    },
    {
      name: 'a step of a load takes long',
      on: 'database',
      weight: 2,
      run: async (context) => {
        await strike({ do: 'wait', ms: context.random.integer(500, 7000) }, context.random.pick(PLACES), context);
      },
    },
    {
      name: 'a step of a load never ends',
      on: 'database',
      run: async (context) => {
        const deed = context.random.pick(['hang', 'mute'] as const);
        await strike({ do: deed }, context.random.pick(PLACES), context);
      },
    },
    ...networkFaults(database.links),
    {
      name: 'the database server freezes',
      on: 'database',
      run: async ({ random, pause, note }) => {
        const ms = random.integer(500, 7000);
        note(`for ${ms} ms`);
        try {
          await server.tell('freeze');
          await pause(ms);
        } finally {
          await server.tell('thaw');
        }
      },
    },
    {
      name: 'the database server is killed',
      on: 'database',
      weight: 2,
      run: async ({ random, pause, note }) => {
        const ms = random.integer(0, 3000);
        note(`for ${ms} ms`);
        await server.kill();
        await pause(ms);
        await server.restart();
      },
    },
  ];
}
