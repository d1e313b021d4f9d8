SELECT day - date '2020-01-01'
FROM stats
WHERE state = 20
GROUP BY day
HAVING sum(count) > 0
ORDER BY day
