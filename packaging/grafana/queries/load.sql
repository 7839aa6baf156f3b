-- Load over five minutes of the chosen hosts, per CPU where their number is known: the greatest value of each step.
WITH samples AS (
  SELECT
    m.hostname,
    DATEDIFF(SECOND, CAST('20200101' AS DATETIME2(3)), m.[timestamp]) / ($__interval_ms / 1000) AS step,
    m.load_5 / COALESCE(NULLIF(m.cpu_count, 0), 1) AS load_per_cpu
  FROM dbo.server_metrics AS m
  WHERE m.hostname IN (${host:sqlstring}) AND $__timeFilter(m.[timestamp])
)
SELECT
  DATEADD(SECOND, s.step * ($__interval_ms / 1000), CAST('20200101' AS DATETIME2(3))) AS [time],
  s.hostname AS metric,
  CAST(MAX(s.load_per_cpu) AS FLOAT) AS load_per_cpu
FROM samples AS s
GROUP BY s.step, s.hostname
ORDER BY s.step, s.hostname;
