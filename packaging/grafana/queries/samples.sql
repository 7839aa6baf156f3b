-- Samples of the chosen hosts in the database, per minute: a dip is a host that was off, or samples on their way.
WITH samples AS (
  SELECT
    m.hostname,
    DATEDIFF(SECOND, CAST('20200101' AS DATETIME2(3)), m.[timestamp]) / ($__interval_ms / 1000) AS step,
    m.id
  FROM dbo.server_metrics AS m
  WHERE m.hostname IN (${host:sqlstring}) AND $__timeFilter(m.[timestamp])
)
SELECT
  DATEADD(SECOND, s.step * ($__interval_ms / 1000), CAST('20200101' AS DATETIME2(3))) AS [time],
  s.hostname AS metric,
  CAST(COUNT(s.id) AS FLOAT) * 60000 / $__interval_ms AS samples_per_minute
FROM samples AS s
GROUP BY s.step, s.hostname
ORDER BY s.step, s.hostname;
