-- How many of the reports $3 (some in more than one form) have an id of gateway $1 among the forms $2
SELECT count(DISTINCT a.report)
FROM unnest($2::text[], $3::int[]) AS a (msg_id, report)
WHERE EXISTS (SELECT FROM msg_map AS m WHERE m.gateway = $1::int AND m.msg_id = a.msg_id)
