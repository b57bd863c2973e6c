-- The devices that sent most.
SELECT device_id, data_points AS requests
FROM device_total
ORDER BY data_points DESC, device_id
LIMIT :limit
