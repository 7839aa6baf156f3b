-- How far each log was loaded, moved in the transaction that loads: the fence. evidence_* describe the message at
-- next_offset - 1; began_at is the time of the first message that the group ever read from the partition.
CREATE TABLE consumer_offsets (
  group_id TEXT NOT NULL,
  topic TEXT NOT NULL,
  partition_id INTEGER NOT NULL,
  epoch INTEGER NOT NULL CHECK (epoch >= 0),
  next_offset INTEGER NOT NULL CHECK (next_offset >= 0),
  evidence_timestamp TEXT,
  evidence_sha256 BLOB CHECK (length(evidence_sha256) = 32),
  began_at TEXT,
  updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now')),
  PRIMARY KEY (group_id, topic, partition_id),
  CONSTRAINT ck_consumer_offsets_evidence CHECK ((evidence_timestamp IS NULL) = (evidence_sha256 IS NULL))
) STRICT, WITHOUT ROWID;

-- Messages that a log no longer had when they were due, or that a person had the reader pass over. next_offset NULL: the
-- topic was made anew, nobody knows.
CREATE TABLE offset_holes (
  group_id TEXT NOT NULL,
  topic TEXT NOT NULL,
  partition_id INTEGER NOT NULL,
  epoch INTEGER NOT NULL,
  first_offset INTEGER NOT NULL,
  next_offset INTEGER,
  reason TEXT NOT NULL,
  found_at TEXT NOT NULL,
  PRIMARY KEY (group_id, topic, partition_id, epoch, first_offset)
) STRICT, WITHOUT ROWID;
