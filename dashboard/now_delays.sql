-- From accepted to its report, of the reports that came last.
SELECT w.word, d.reports, d.p50_ms, d.p95_ms FROM recent_delays() AS d JOIN word AS w ON w.id = d.gateway
