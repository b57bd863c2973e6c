-- How many devices have sent something.
SELECT COUNT(*) AS total_devices
FROM device_total
