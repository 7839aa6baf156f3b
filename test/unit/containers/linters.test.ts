/** What the linters of others say of the image and the stack. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { lintCompose, lintDockerfile, prepareContainerLinters } from '../../support/container-linters.ts';
import { DOCKER } from './stack.ts';

const reason = prepareContainerLinters();

describe.skipIf(reason !== undefined)(
  `linters of containers${reason === undefined ? '' : ` (skipped: ${reason})`}`,
  () => {
    it('find nothing in the Dockerfile', () => {
      expect(lintDockerfile(join(DOCKER, 'Dockerfile'))).toEqual([]);
    });

    it('find in compose.yaml only what it says of itself', () => {
      // CL-0019: tags instead of digests, for want of a registry. CL-0001: the agent's view of the host, which it looks at
      // as a user without rights. CL-0007: images that write into their own root.
      const known = new Set(['agent CL-0001', 'kafka CL-0007', 'topic CL-0007', 'sqlserver CL-0007']);
      const found = lintCompose(join(DOCKER, 'compose.yaml')).filter((finding) => !finding.endsWith('CL-0019'));
      expect(new Set(found)).toEqual(known);
    });
  },
);
