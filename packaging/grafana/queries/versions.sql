-- How many hosts run which version of the agent.
SELECT COALESCE(h.agent_version, N'unknown') AS agent_version, COUNT(*) AS hosts
FROM dbo.hosts AS h
WHERE h.retired_at IS NULL
GROUP BY COALESCE(h.agent_version, N'unknown')
ORDER BY hosts DESC, agent_version;
