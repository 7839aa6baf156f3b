-- The fleet in one row. Retired hosts count with what they took and lost, and in nothing else.
SELECT
  SUM(CASE WHEN h.retired_at IS NULL THEN 1 ELSE 0 END) AS hosts,
  SUM(CASE
    WHEN h.retired_at IS NOT NULL OR h.last_seen >= DATEADD(SECOND, -$silent_after, SYSUTCDATETIME()) THEN 0 ELSE 1
  END) AS silent,
  SUM(CASE WHEN h.retired_at IS NULL THEN h.spool_depth END) AS spool_depth,
  CAST(MAX(CASE WHEN h.retired_at IS NULL THEN h.spool_oldest_age_seconds END) AS FLOAT) AS oldest_age_seconds,
  SUM(h.samples) AS samples,
  SUM(h.lost) AS lost,
  SUM(h.missing) AS missing
FROM dbo.hosts AS h;
