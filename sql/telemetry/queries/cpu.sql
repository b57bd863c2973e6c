-- Average and greatest CPU usage after :since and before :until. Whole minutes come from the roll-up, the two parts of minutes
-- at the ends from the messages.
SELECT
    CAST(COALESCE(SUM(data_points), 0) AS SIGNED) AS data_points,
    CAST(SUM(cpu_sum) / SUM(data_points) AS DECIMAL(4, 2)) AS avg_cpu,
    CAST(MAX(cpu_max) AS DECIMAL(4, 2)) AS max_cpu
FROM (
    SELECT SUM(data_points) AS data_points, SUM(cpu_sum) AS cpu_sum, MAX(cpu_max) AS cpu_max
    FROM device_minute
    WHERE minute > DATE_FORMAT(:since, '%Y-%m-%d %H:%i:00')
      AND minute < DATE_FORMAT(:until, '%Y-%m-%d %H:%i:00')
    UNION ALL
    SELECT 1, cpu_usage, cpu_usage
    FROM telemetry
    WHERE entry_ts > :since
      AND entry_ts < :until
      AND entry_ts <= DATE_FORMAT(:since, '%Y-%m-%d %H:%i:59.999999')
    UNION ALL
    SELECT 1, cpu_usage, cpu_usage
    FROM telemetry
    WHERE entry_ts < :until
      AND entry_ts >= DATE_FORMAT(:until, '%Y-%m-%d %H:%i:00')
      AND entry_ts > DATE_FORMAT(:since, '%Y-%m-%d %H:%i:59.999999')
) AS parts
