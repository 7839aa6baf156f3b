-- Messages that Kafka no longer had when they were due, or that a person had the writers pass over. messages is empty
-- where the topic was made anew: nobody knows.
SELECT TOP (200)
  o.found_at,
  o.topic,
  o.partition_id,
  o.first_offset,
  o.next_offset - o.first_offset AS messages,
  o.reason
FROM dbo.offset_holes AS o
WHERE $__timeFilter(o.found_at)
ORDER BY o.found_at DESC, o.topic, o.partition_id;
