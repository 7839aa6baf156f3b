-- Disks of the chosen hosts, bytes per second. From counters: what a step grew by, over the time it grew in. A pair of
-- samples in which a counter fell (a boot) or that are more than an hour apart tells no rate.
WITH samples AS (
  SELECT
    m.hostname,
    m.[timestamp] AS taken_at,
    LAG(m.[timestamp]) OVER (PARTITION BY m.hostname ORDER BY m.[timestamp]) AS previous_at,
    m.disk_read_bytes - LAG(m.disk_read_bytes) OVER (PARTITION BY m.hostname ORDER BY m.[timestamp]) AS read_bytes,
    m.disk_write_bytes - LAG(m.disk_write_bytes) OVER (PARTITION BY m.hostname ORDER BY m.[timestamp]) AS written_bytes
  FROM dbo.server_metrics AS m
  WHERE m.hostname IN (${host:sqlstring}) AND $__timeFilter(m.[timestamp])
),
spans AS (
  SELECT
    s.hostname,
    DATEDIFF(SECOND, CAST('20200101' AS DATETIME2(3)), s.taken_at) / ($__interval_ms / 1000) AS step,
    CASE
      WHEN s.previous_at >= DATEADD(HOUR, -1, s.taken_at) AND s.previous_at < s.taken_at
        THEN CAST(DATEDIFF(MILLISECOND, s.previous_at, s.taken_at) AS FLOAT) / 1000
    END AS seconds,
    s.read_bytes,
    s.written_bytes
  FROM samples AS s
)
SELECT
  DATEADD(SECOND, p.step * ($__interval_ms / 1000), CAST('20200101' AS DATETIME2(3))) AS [time],
  p.hostname AS metric,
  SUM(CASE WHEN p.read_bytes >= 0 AND p.seconds > 0 THEN CAST(p.read_bytes AS FLOAT) END)
    / SUM(CASE WHEN p.read_bytes >= 0 THEN p.seconds END) AS read_bytes,
  SUM(CASE WHEN p.written_bytes >= 0 AND p.seconds > 0 THEN CAST(p.written_bytes AS FLOAT) END)
    / SUM(CASE WHEN p.written_bytes >= 0 THEN p.seconds END) AS written_bytes
FROM spans AS p
GROUP BY p.step, p.hostname
ORDER BY p.step, p.hostname;
