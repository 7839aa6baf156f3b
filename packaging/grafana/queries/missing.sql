-- Numbers of samples that are missing and of which nobody has said why. While a partition lags they may still come.
SELECT TOP (200)
  r.hostname,
  CONVERT(VARCHAR(32), r.run_id, 2) AS run_id,
  g.first_seq,
  g.last_seq,
  g.last_seq - g.first_seq + 1 AS samples,
  r.last_seen
FROM dbo.runs AS r
JOIN dbo.seq_gaps AS g ON g.run_id = r.run_id
WHERE r.missing > 0 AND g.reason IS NULL
ORDER BY samples DESC, r.hostname, g.first_seq;
