import { renameSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { requireHostRoot, type Surroundings } from '../../../src/collect/host-root.ts';
import { HostspoolError } from '../../../src/lib/errors.ts';
import { Tree } from './tree.ts';

/** A container: its own root is on one device, everything that is given to it on another. */
function container(mounted: readonly string[] = [], sameDevice = false): Surroundings {
  return {
    device: (path) => (path === '/' || sameDevice ? 1 : 2),
    mountinfo: () =>
      ['/', ...mounted].map((point, i) => `${i + 1} 0 0:1 / ${point} rw - overlay overlay rw\n`).join(''),
  };
}

function refusal(root: string, own: Surroundings): HostspoolError | undefined {
  try {
    requireHostRoot(root, own);
    return undefined;
  } catch (error) {
    if (!(error instanceof HostspoolError)) throw error;
    return error;
  }
}

function hostTree(): Tree {
  const tree = new Tree('linux-6.8-server');
  tree.write('sys/kernel/notes', '');
  return tree;
}

describe('the root of a host', () => {
  it('is / without a look, and a mounted one with the tables of its first process', () => {
    using tree = hostTree();
    expect(refusal('/', container([], true))).toBeUndefined();
    expect(refusal(tree.root, container([tree.root]))).toBeUndefined();
  });

  it.each(['proc/stat', 'proc/1/net/dev', 'proc/1/mountinfo', 'sys'])('is not one without %s', (path) => {
    using tree = hostTree();
    tree.remove(path);
    const error = refusal(tree.root, container([tree.root]));
    expect(error?.code).toBe('COLLECT_HOST_ROOT');
    expect(error?.message).toContain(`${tree.root}/${path} can't be read (ENOENT)`);
    expect(error?.hint).toContain('/:/host:ro,rslave');
  });

  it('is not one where only /proc and /sys were mounted: the size would be the container’s own', () => {
    using tree = hostTree();
    const own = container([`${tree.root}/proc`, `${tree.root}/sys`], true);
    expect(refusal(tree.root, own)?.message).toContain(`nothing is mounted at ${tree.root}`);
  });

  it('may be on the container’s own device', () => {
    using tree = hostTree();
    expect(refusal(tree.root, container([tree.root], true))).toBeUndefined();
  });

  it('may be at a path with a blank in it, which the table of mounts writes otherwise', () => {
    using tree = hostTree();
    const root = `${tree.root} of a host`;
    renameSync(tree.root, root);
    try {
      expect(refusal(root, container([root.replaceAll(' ', '\\040')], true))).toBeUndefined();
    } finally {
      renameSync(root, tree.root);
    }
  });
});
