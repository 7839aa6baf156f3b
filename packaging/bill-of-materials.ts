/**
 * The bill of materials (CycloneDX): the packages of the lock file that go into the executable, by cyclonedx-npm, and
 * what no package of theirs names: Node, which is in it too.
 */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

interface Bill {
  components: Record<string, unknown>[];
  dependencies: { ref: string; dependsOn?: string[] }[];
  metadata: { component: { 'bom-ref': string } };
}

export function billOfMaterials(root: string, version: string): string {
  const tool = join(root, 'node_modules/@cyclonedx/cyclonedx-npm/bin/cyclonedx-npm-cli.js');
  const options = ['--package-lock-only', '--omit=dev', '--output-reproducible', '--spec-version=1.6'];
  const written = execFileSync(process.execPath, [tool, ...options, '--output-format=JSON', '--output-file=-'], {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    maxBuffer: 64 * 1024 * 1024,
  });
  const bill = JSON.parse(written) as Bill;
  const node = process.versions.node;
  const ref = `node@${node}`;
  bill.components.push({
    type: 'platform',
    name: 'node',
    version: node,
    'bom-ref': ref,
    description: 'The runtime inside the executable, with what is linked into it',
    purl: `pkg:generic/node@${node}`,
    properties: Object.entries(process.versions)
      .filter(([name]) => name !== 'node')
      .map(([name, linked]) => ({ name: `hostspool:node:${name}`, value: linked })),
  });
  const top = bill.metadata.component['bom-ref'];
  bill.dependencies.find((entry) => entry.ref === top)?.dependsOn?.push(ref);
  bill.dependencies.push({ ref });
  Object.assign(bill.metadata.component, { version });
  return `${JSON.stringify(bill, undefined, 2)}\n`;
}
