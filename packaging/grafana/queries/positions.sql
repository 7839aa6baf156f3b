-- How far each partition is loaded, and when it last was.
SELECT c.group_id, c.topic, c.partition_id, c.next_offset, c.evidence_timestamp AS last_message_at, c.updated_at
FROM dbo.consumer_offsets AS c
ORDER BY c.group_id, c.topic, c.partition_id;
