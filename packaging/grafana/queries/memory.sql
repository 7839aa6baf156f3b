-- Memory of the chosen hosts: the mean of each step.
WITH samples AS (
  SELECT
    m.hostname,
    DATEDIFF(SECOND, CAST('20200101' AS DATETIME2(3)), m.[timestamp]) / ($__interval_ms / 1000) AS step,
    m.memory_percent
  FROM dbo.server_metrics AS m
  WHERE m.hostname IN (${host:sqlstring}) AND $__timeFilter(m.[timestamp])
)
SELECT
  DATEADD(SECOND, s.step * ($__interval_ms / 1000), CAST('20200101' AS DATETIME2(3))) AS [time],
  s.hostname AS metric,
  CAST(AVG(s.memory_percent) AS FLOAT) AS memory_percent
FROM samples AS s
GROUP BY s.step, s.hostname
ORDER BY s.step, s.hostname;
