-- The proof: taken = received + lost + missing, over all runs.
SELECT SUM(r.last_seq) AS taken, SUM(r.received) AS received, SUM(r.lost) AS lost, SUM(r.missing) AS missing
FROM dbo.runs AS r;
