-- The hosts to choose from: all that nobody retired.
SELECT h.hostname
FROM dbo.hosts AS h
WHERE h.retired_at IS NULL
ORDER BY h.hostname;
