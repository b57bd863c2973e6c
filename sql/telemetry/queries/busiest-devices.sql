-- The devices with most messages after :since and before :until, and their metrics. Whole minutes come from the roll-up, the two
-- parts of minutes at the ends from the messages.
SELECT
    device_id,
    CAST(SUM(data_points) AS SIGNED) AS data_points,
    CAST(MIN(cpu_min) AS DECIMAL(4, 2)) AS min_cpu,
    CAST(SUM(cpu_sum) / SUM(data_points) AS DECIMAL(4, 2)) AS avg_cpu,
    CAST(MAX(cpu_max) AS DECIMAL(4, 2)) AS max_cpu,
    CAST(MIN(memory_min) AS DECIMAL(4, 2)) AS min_memory,
    CAST(SUM(memory_sum) / SUM(data_points) AS DECIMAL(4, 2)) AS avg_memory,
    CAST(MAX(memory_max) AS DECIMAL(4, 2)) AS max_memory,
    LEFT(MAX(latest_ts), 19) AS latest_ts
FROM (
    SELECT
        device_id, SUM(data_points) AS data_points,
        MIN(cpu_min) AS cpu_min, SUM(cpu_sum) AS cpu_sum, MAX(cpu_max) AS cpu_max,
        MIN(memory_min) AS memory_min, SUM(memory_sum) AS memory_sum, MAX(memory_max) AS memory_max,
        MAX(latest_ts) AS latest_ts
    FROM device_minute
    WHERE minute > DATE_FORMAT(:since, '%Y-%m-%d %H:%i:00')
      AND minute < DATE_FORMAT(:until, '%Y-%m-%d %H:%i:00')
    GROUP BY device_id
    UNION ALL
    SELECT
        device_id, 1, cpu_usage, cpu_usage, cpu_usage, memory_usage, memory_usage, memory_usage, entry_ts
    FROM telemetry
    WHERE entry_ts > :since
      AND entry_ts < :until
      AND entry_ts <= DATE_FORMAT(:since, '%Y-%m-%d %H:%i:59.999999')
    UNION ALL
    SELECT
        device_id, 1, cpu_usage, cpu_usage, cpu_usage, memory_usage, memory_usage, memory_usage, entry_ts
    FROM telemetry
    WHERE entry_ts < :until
      AND entry_ts >= DATE_FORMAT(:until, '%Y-%m-%d %H:%i:00')
      AND entry_ts > DATE_FORMAT(:since, '%Y-%m-%d %H:%i:59.999999')
) AS parts
GROUP BY device_id
ORDER BY data_points DESC, device_id
LIMIT :limit
