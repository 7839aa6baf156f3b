-- The hosts that lost most, by reason, of the runs that were heard of since the beginning of the time range.
SELECT TOP (200) r.hostname, g.reason, SUM(g.last_seq - g.first_seq + 1) AS samples, MAX(r.last_seen) AS last_seen
FROM dbo.runs AS r
JOIN dbo.seq_gaps AS g ON g.run_id = r.run_id
WHERE r.lost > 0 AND r.last_seen >= $__timeFrom() AND g.reason IS NOT NULL
GROUP BY r.hostname, g.reason
ORDER BY samples DESC, r.hostname, g.reason;
