-- Samples that are lost for a known reason, of the runs that were heard of since the beginning of the time range.
SELECT g.reason, SUM(g.last_seq - g.first_seq + 1) AS samples, COUNT(DISTINCT r.hostname) AS hosts
FROM dbo.runs AS r
JOIN dbo.seq_gaps AS g ON g.run_id = r.run_id
WHERE r.lost > 0 AND r.last_seen >= $__timeFrom() AND g.reason IS NOT NULL
GROUP BY g.reason
ORDER BY samples DESC, g.reason;
