import { describe, expect, it } from 'vitest';
import { ROLES } from '../../../../src/sink/sqlserver/migrations.ts';
import {
  LOADING_RIGHTS,
  MIGRATING_RIGHTS,
  nameOfRight,
  RETENTION_RIGHTS,
  rightsText,
} from '../../../../src/sink/sqlserver/rights.ts';

/** For the commands of a person, which a writer does not run. */
const FOR_RESETS = ['UPDATE on offset_holes', 'DELETE on offset_holes'];

describe('the rights that the check asks about', () => {
  it('are those that the role of a writer is given', () => {
    const granted = [...ROLES.matchAll(/^GRANT ([A-Z, ]+) ON dbo\.(\w+) TO hostspool_writer;$/gm)].flatMap(
      ([, rights = '', table]) => rights.split(', ').map((right) => `${right} on ${table}`),
    );
    const asked = [...LOADING_RIGHTS, ...RETENTION_RIGHTS].map(nameOfRight);
    expect(granted.length).toBeGreaterThan(10);
    expect([...asked, ...FOR_RESETS].sort()).toEqual(granted.sort());
  });

  it('are each a column of one row', () => {
    expect(rightsText()).toContain("HAS_PERMS_BY_NAME(N'dbo.runs', N'OBJECT', N'UPDATE') AS [UPDATE on runs]");
    expect(rightsText().match(/ AS \[/g)).toHaveLength(
      LOADING_RIGHTS.length + RETENTION_RIGHTS.length + MIGRATING_RIGHTS.length,
    );
  });
});
