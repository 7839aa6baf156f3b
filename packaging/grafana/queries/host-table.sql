-- Every host with its newest sample, the longest silent first: one look into the index per host.
SELECT TOP (1000)
  h.hostname,
  CASE WHEN h.last_seen >= DATEADD(SECOND, -$silent_after, SYSUTCDATETIME()) THEN 0 ELSE 1 END AS silent,
  h.last_seen,
  CAST(l.cpu_percent AS FLOAT) AS cpu_percent,
  CAST(l.memory_percent AS FLOAT) AS memory_percent,
  CAST(l.disk_percent AS FLOAT) AS disk_percent,
  h.spool_depth,
  CAST(h.spool_oldest_age_seconds AS FLOAT) AS oldest_age_seconds,
  h.lost,
  h.missing,
  h.agent_version
FROM dbo.hosts AS h
LEFT JOIN dbo.vw_latest_by_host AS l ON l.hostname = h.hostname
WHERE h.retired_at IS NULL
ORDER BY h.last_seen, h.hostname;
