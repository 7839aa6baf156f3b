/** The network between one agent or writer and the broker. */
import type { TcpProxy } from '../../support/proxy.ts';
import type { Fault, FaultContext, TargetKind } from '../fault.ts';

type LinkKind = Extract<TargetKind, 'agent link' | 'writer link'>;

const WAYS = { toServer: 'to the broker', toClient: 'from the broker' } as const;

const of = (world: FaultContext['world'], on: LinkKind, target: number) =>
  (on === 'agent link' ? world.agentLinks : world.writerLinks)[target] as TcpProxy;

function faultsOf(on: LinkKind): Fault[] {
  return [
    {
      name: `${on}: connections are cut`,
      on,
      weight: 2,
      run: async ({ world, target, note }) => {
        const link = of(world, on, target);
        note(`${link.connections} of them`);
        link.cut();
      },
    },
    {
      name: `${on}: nothing listens`,
      on,
      weight: 2,
      run: async ({ world, target, random, pause, note }) => {
        const link = of(world, on, target);
        const ms = random.integer(500, 8000);
        note(`for ${ms} ms`);
        try {
          await link.refuse();
          link.cut();
          await pause(ms);
        } finally {
          await link.accept();
        }
      },
    },
    {
      name: `${on}: half-open`,
      on,
      weight: 3,
      run: async ({ world, target, random, pause, note }) => {
        const link = of(world, on, target);
        const ms = random.integer(500, 9000);
        const directions = random.pick([['toServer'], ['toClient'], ['toServer', 'toClient']] as const);
        note(`${directions.join(' and ')} for ${ms} ms`);
        try {
          link.stall(...directions);
          await pause(ms);
          // Either what was held back arrives late, or it never does.
          if (random.chance(0.5)) link.cut();
        } finally {
          link.resume();
        }
      },
    },
    ...(['toServer', 'toClient'] as const).flatMap((direction): Fault[] => [
      {
        name: `${on}: slow ${WAYS[direction]}`,
        on,
        run: async ({ world, target, random, pause, note }) => {
          const link = of(world, on, target);
          const ms = random.integer(20, 600);
          note(`${ms} ms later each`);
          try {
            link.delay(ms, direction);
            await pause(random.integer(1000, 6000));
          } finally {
            link.delay(0, direction);
          }
        },
      },
      {
        name: `${on}: dribbles ${WAYS[direction]}`,
        on,
        run: async ({ world, target, random, pause, note }) => {
          const link = of(world, on, target);
          const bytes = random.pick([1, 7, 64, 500]);
          note(`${bytes} bytes at a time`);
          try {
            link.dribble(bytes, direction);
            link.delay(random.integer(1, 20), direction);
            await pause(random.integer(1000, 6000));
          } finally {
            link.delay(0, direction);
            link.dribble(0, direction);
          }
        },
      },
    ]),
    {
      name: `${on}: cut in the middle of a stream`,
      on,
      weight: 2,
      run: async ({ world, target, random, pause, note }) => {
        const link = of(world, on, target);
        const direction = random.pick(['toServer', 'toClient'] as const);
        const at = link.bytes[direction] + random.integer(1, 3000);
        note(`${direction} at byte ${at}`);
        let cut = false;
        try {
          link.onBytes((which, total) => {
            if (cut || which !== direction || total < at) return;
            cut = true;
            link.cut();
          });
          await pause(random.integer(1000, 3000));
        } finally {
          link.onBytes(undefined);
        }
      },
    },
  ];
}

export const LINK_FAULTS: readonly Fault[] = [...faultsOf('agent link'), ...faultsOf('writer link')];
