-- The hosts that are fullest by memory now, of those that are not silent.
SELECT TOP ($top) l.hostname, CAST(l.memory_percent AS FLOAT) AS memory_percent
FROM dbo.vw_latest_by_host AS l
JOIN dbo.hosts AS h ON h.hostname = l.hostname
WHERE h.retired_at IS NULL AND l.[timestamp] >= DATEADD(SECOND, -$silent_after, SYSUTCDATETIME())
ORDER BY l.memory_percent DESC, l.hostname;
