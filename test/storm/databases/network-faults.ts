/** The network between the writers and a database server. */
import type { TcpProxy } from '../../support/proxy.ts';
import type { Fault } from '../fault.ts';

/** `links`: one for each writer. */
export function networkFaults(links: readonly TcpProxy[]): Fault[] {
  return [
    {
      name: 'every connection to the database is cut',
      on: 'database',
      weight: 2,
      run: async ({ note }) => {
        const open = links.reduce((sum, { connections }) => sum + connections, 0);
        for (const link of links) link.cut();
        note(`${open} of them`);
      },
    },
    {
      name: 'the database refuses connections',
      on: 'database',
      run: async ({ random, pause, note }) => {
        const ms = random.integer(500, 6000);
        note(`for ${ms} ms`);
        try {
          for (const link of links) {
            await link.refuse();
            link.cut();
          }
          await pause(ms);
        } finally {
          for (const link of links) await link.accept();
        }
      },
    },
    {
      name: 'the way from the database falls silent',
      on: 'database',
      run: async ({ random, pause, note }) => {
        const ms = random.integer(1000, 8000);
        const direction = random.pick(['toServer', 'toClient'] as const);
        note(`${direction} for ${ms} ms`);
        try {
          for (const link of links) link.stall(direction);
          await pause(ms);
        } finally {
          for (const link of links) link.resume();
        }
      },
    },
  ];
}
