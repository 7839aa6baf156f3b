-- The accounts: what became of every sequence number of every run. A number from 1 to last_seq that lies in no gap was
-- received. received, lost and missing are sums over the gaps, kept beside them so that reading them costs nothing.
CREATE TABLE runs (
  run_id BLOB PRIMARY KEY CHECK (length(run_id) = 16),
  hostname TEXT NOT NULL,
  first_seen TEXT NOT NULL,
  last_seen TEXT NOT NULL,
  last_seq INTEGER NOT NULL CHECK (last_seq >= 1),
  -- JSON: { "<partition>": [seq, epoch, offset] }, the greatest number that each partition brought and where it lay.
  last_seq_by_partition TEXT NOT NULL CHECK (json_valid(last_seq_by_partition)),
  -- 'clean' or 'unclean', as the agent told; NULL while the run goes on, or died unheard.
  ended TEXT CHECK (ended IN ('clean', 'unclean')),
  -- 1: the agent said that it was guessing about the end of the run or the bounds of a loss.
  uncertain INTEGER NOT NULL CHECK (uncertain IN (0, 1)),
  received INTEGER NOT NULL CHECK (received >= 0),
  lost INTEGER NOT NULL CHECK (lost >= 0),
  missing INTEGER NOT NULL CHECK (missing >= 0),
  -- How many times this row was written; a load writes only over the version it was computed from.
  version INTEGER NOT NULL CHECK (version >= 1),
  CONSTRAINT ck_runs_sum CHECK (received + lost + missing = last_seq)
) STRICT, WITHOUT ROWID;

CREATE INDEX idx_runs_hostname ON runs (hostname);
CREATE INDEX idx_runs_missing ON runs (run_id) WHERE missing > 0;

-- Numbers that were not received. reason NULL: nobody has said why.
CREATE TABLE seq_gaps (
  run_id BLOB NOT NULL REFERENCES runs (run_id),
  first_seq INTEGER NOT NULL CHECK (first_seq >= 1),
  last_seq INTEGER NOT NULL,
  reason TEXT,
  PRIMARY KEY (run_id, first_seq),
  CONSTRAINT ck_seq_gaps_order CHECK (last_seq >= first_seq)
) STRICT, WITHOUT ROWID;

-- The fleet. samples counts the rows inserted for the host, those of other producers included; received, lost and
-- missing are the sums over its runs. retired_at: a person said that the host is gone.
CREATE TABLE hosts (
  hostname TEXT PRIMARY KEY,
  first_seen TEXT,
  last_seen TEXT,
  agent_version TEXT,
  spool_depth INTEGER,
  spool_bytes INTEGER,
  spool_oldest_age_seconds REAL,
  samples INTEGER NOT NULL,
  received INTEGER NOT NULL,
  lost INTEGER NOT NULL,
  missing INTEGER NOT NULL,
  retired_at TEXT
) STRICT, WITHOUT ROWID;
