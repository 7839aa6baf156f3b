-- Network of the chosen hosts, bytes per second over every interface but loopback. From counters: what a step grew by,
-- over the time it grew in. A pair of samples in which a counter fell (a boot) or that are more than an hour apart tells
-- no rate.
WITH samples AS (
  SELECT
    m.hostname,
    m.[timestamp] AS taken_at,
    LAG(m.[timestamp]) OVER (PARTITION BY m.hostname ORDER BY m.[timestamp]) AS previous_at,
    m.network_bytes_sent - LAG(m.network_bytes_sent) OVER (PARTITION BY m.hostname ORDER BY m.[timestamp]) AS sent,
    m.network_bytes_recv - LAG(m.network_bytes_recv) OVER (PARTITION BY m.hostname ORDER BY m.[timestamp]) AS received
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
    s.sent,
    s.received
  FROM samples AS s
)
SELECT
  DATEADD(SECOND, p.step * ($__interval_ms / 1000), CAST('20200101' AS DATETIME2(3))) AS [time],
  p.hostname AS metric,
  SUM(CASE WHEN p.sent >= 0 AND p.seconds > 0 THEN CAST(p.sent AS FLOAT) END)
    / SUM(CASE WHEN p.sent >= 0 THEN p.seconds END) AS sent,
  SUM(CASE WHEN p.received >= 0 AND p.seconds > 0 THEN CAST(p.received AS FLOAT) END)
    / SUM(CASE WHEN p.received >= 0 THEN p.seconds END) AS received
FROM spans AS p
GROUP BY p.step, p.hostname
ORDER BY p.step, p.hostname;
