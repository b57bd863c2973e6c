-- The devices with most messages of all time.
SELECT
    device_id,
    data_points,
    CAST(cpu_min AS DECIMAL(4, 2)) AS min_cpu,
    CAST(cpu_sum / data_points AS DECIMAL(4, 2)) AS avg_cpu,
    CAST(cpu_max AS DECIMAL(4, 2)) AS max_cpu,
    CAST(memory_min AS DECIMAL(4, 2)) AS min_memory,
    CAST(memory_sum / data_points AS DECIMAL(4, 2)) AS avg_memory,
    CAST(memory_max AS DECIMAL(4, 2)) AS max_memory,
    LEFT(latest_ts, 19) AS latest_ts
FROM device_total
ORDER BY data_points DESC, device_id
LIMIT :limit
