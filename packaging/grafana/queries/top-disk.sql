-- The hosts that are fullest by root filesystem now, of those that are not silent.
SELECT TOP ($top) l.hostname, CAST(l.disk_percent AS FLOAT) AS disk_percent
FROM dbo.vw_latest_by_host AS l
JOIN dbo.hosts AS h ON h.hostname = l.hostname
WHERE h.retired_at IS NULL AND l.[timestamp] >= DATEADD(SECOND, -$silent_after, SYSUTCDATETIME())
ORDER BY l.disk_percent DESC, l.hostname;
