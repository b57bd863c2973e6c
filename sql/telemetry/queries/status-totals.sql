-- The lab in one line: read from the totals of the devices, however many messages there are.
SELECT CAST(COALESCE(SUM(data_points), 0) AS SIGNED) AS entries, COUNT(*) AS unique_devices, LEFT(MAX(latest_ts), 19) AS latest_ts
FROM device_total
