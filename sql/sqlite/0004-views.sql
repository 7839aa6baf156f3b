-- Every sample with its rank within its host: rn = 1 is the newest. A clock that is more than a day ahead is no news:
-- such rows are kept and left out here.
CREATE VIEW vw_latest_metrics AS
SELECT *, row_number() OVER (PARTITION BY hostname ORDER BY timestamp DESC, id DESC) AS rn
FROM server_metrics
WHERE timestamp <= strftime('%Y-%m-%d %H:%M:%f', 'now', '+24 hours');

-- The newest sample of each host: one look into the index per host, however many rows there are.
CREATE VIEW vw_latest_by_host AS
SELECT m.*
FROM hosts AS h
JOIN server_metrics AS m ON m.id = (
  SELECT s.id
  FROM server_metrics AS s
  WHERE s.hostname = h.hostname AND s.timestamp <= strftime('%Y-%m-%d %H:%M:%f', 'now', '+24 hours')
  ORDER BY s.timestamp DESC, s.id DESC
  LIMIT 1
);

-- The proof: one row per run, and on every row taken = received + lost + missing. SELECT sum(missing) is what has to be
-- 0. lost_other holds reasons that this version does not know. uncertain_tail: whether the agent was guessing, so that
-- more may have been taken than is known. log_holes: holes found in any log since the run was first heard of.
CREATE VIEW vw_sample_accounting AS
SELECT
  r.hostname,
  lower(hex(r.run_id)) AS run_id,
  r.first_seen,
  r.last_seen,
  r.ended,
  r.last_seq AS taken,
  r.received,
  r.lost,
  r.missing,
  r.uncertain AS uncertain_tail,
  (SELECT count(*) FROM offset_holes AS o WHERE o.found_at >= r.first_seen) AS log_holes,
  coalesce(sum(g.samples) FILTER (WHERE g.reason = 'spool_full'), 0) AS lost_spool_full,
  coalesce(sum(g.samples) FILTER (WHERE g.reason = 'spool_expired'), 0) AS lost_spool_expired,
  coalesce(sum(g.samples) FILTER (WHERE g.reason = 'disk_full'), 0) AS lost_disk_full,
  coalesce(sum(g.samples) FILTER (WHERE g.reason = 'spool_unwritable'), 0) AS lost_spool_unwritable,
  coalesce(sum(g.samples) FILTER (WHERE g.reason = 'spool_corrupt'), 0) AS lost_spool_corrupt,
  coalesce(sum(g.samples) FILTER (WHERE g.reason = 'crash'), 0) AS lost_crash,
  coalesce(sum(g.samples) FILTER (WHERE g.reason = 'refused_by_kafka'), 0) AS lost_refused_by_kafka,
  coalesce(sum(g.samples) FILTER (WHERE g.reason = 'dead_letter'), 0) AS lost_dead_letter,
  coalesce(sum(g.samples) FILTER (WHERE g.reason = 'expired_in_kafka'), 0) AS lost_expired_in_kafka,
  coalesce(sum(g.samples) FILTER (WHERE g.reason = 'topic_recreated'), 0) AS lost_topic_recreated,
  coalesce(sum(g.samples) FILTER (WHERE g.reason = 'skipped_by_operator'), 0) AS lost_skipped_by_operator,
  coalesce(sum(g.samples) FILTER (WHERE g.reason = 'before_first_contact'), 0) AS lost_before_first_contact,
  coalesce(sum(g.samples) FILTER (WHERE g.reason NOT IN (
    'spool_full', 'spool_expired', 'disk_full', 'spool_unwritable', 'spool_corrupt', 'crash', 'refused_by_kafka',
    'dead_letter', 'expired_in_kafka', 'topic_recreated', 'skipped_by_operator', 'before_first_contact'
  )), 0) AS lost_other
FROM runs AS r
LEFT JOIN (SELECT run_id, reason, last_seq - first_seq + 1 AS samples FROM seq_gaps) AS g ON g.run_id = r.run_id
GROUP BY r.run_id;
