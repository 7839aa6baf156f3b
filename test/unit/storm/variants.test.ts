import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { SABOTAGED_BUILDS, type SabotagedBuildName } from '../../storm/sabotaged-builds.ts';
import { edited } from '../../storm/variants.ts';

const root = join(import.meta.dirname, '../../..');

describe('a build with a protection taken out', () => {
  it.each(Object.keys(SABOTAGED_BUILDS) as SabotagedBuildName[])('%s still finds what it takes out', (name) => {
    const { edits } = SABOTAGED_BUILDS[name];
    for (const file of new Set(edits.map((edit) => edit.file))) {
      const source = readFileSync(join(root, file), 'utf8');
      expect(edited(file, source, edits)).not.toBe(source);
    }
  });

  it('is refused where the text is gone, or stands there twice', () => {
    const edits = [{ file: 'a.ts', from: 'fence();', to: '' }];
    expect(() => edited('a.ts', 'load();', edits)).toThrow('does not have this text once');
    expect(() => edited('a.ts', 'fence(); fence();', edits)).toThrow('does not have this text once');
    expect(edited('a.ts', 'fence(); load();', edits)).toBe(' load();');
    expect(edited('b.ts', 'load();', edits)).toBe('load();');
  });
});
