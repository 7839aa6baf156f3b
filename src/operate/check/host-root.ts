/** collect.host_root, where it is set: a container that was given too little of its host. */
import { type Check, ok } from './check.ts';
import { type CheckContext, FILE_LIMIT_MS, SILENT } from './context.ts';

export function hostRootCheck({ settings, requireHostRoot }: CheckContext): Check[] {
  const { host_root: root } = settings.collect;
  if (root === '/') return [];
  return [
    {
      name: 'host_root',
      limit: FILE_LIMIT_MS,
      waitsFor: `the filesystem of ${root}`,
      ifSilent: SILENT.disk,
      run: async () => {
        requireHostRoot(root);
        return ok(`${root} is the root filesystem of a host`, { path: root });
      },
    },
  ];
}
