-- Keeps the roll-ups right in the transaction of the INSERT or DELETE itself (docs/design/007-telemetry-rollups.md). Several triggers of
-- one statement each, run in the order of their creation: every client can load them, there is no delimiter to change.
-- All take the device's total first and its minute second, so that no two of them wait for each other in a circle.
CREATE TRIGGER telemetry_added_1_total AFTER INSERT ON telemetry FOR EACH ROW
    INSERT INTO device_total
    VALUES (
        NEW.device_id, 1,
        NEW.cpu_usage, NEW.cpu_usage, NEW.cpu_usage,
        NEW.memory_usage, NEW.memory_usage, NEW.memory_usage,
        NEW.entry_ts
    )
    ON DUPLICATE KEY UPDATE
        data_points = data_points + 1,
        cpu_sum     = cpu_sum + NEW.cpu_usage,
        cpu_min     = LEAST(cpu_min, NEW.cpu_usage),
        cpu_max     = GREATEST(cpu_max, NEW.cpu_usage),
        memory_sum  = memory_sum + NEW.memory_usage,
        memory_min  = LEAST(memory_min, NEW.memory_usage),
        memory_max  = GREATEST(memory_max, NEW.memory_usage),
        latest_ts   = GREATEST(latest_ts, NEW.entry_ts);

CREATE TRIGGER telemetry_added_2_minute AFTER INSERT ON telemetry FOR EACH ROW
    INSERT INTO device_minute
    VALUES (
        DATE_FORMAT(NEW.entry_ts, '%Y-%m-%d %H:%i:00'), NEW.device_id, 1,
        NEW.cpu_usage, NEW.cpu_usage, NEW.cpu_usage,
        NEW.memory_usage, NEW.memory_usage, NEW.memory_usage,
        NEW.entry_ts
    )
    ON DUPLICATE KEY UPDATE
        data_points = data_points + 1,
        cpu_sum     = cpu_sum + NEW.cpu_usage,
        cpu_min     = LEAST(cpu_min, NEW.cpu_usage),
        cpu_max     = GREATEST(cpu_max, NEW.cpu_usage),
        memory_sum  = memory_sum + NEW.memory_usage,
        memory_min  = LEAST(memory_min, NEW.memory_usage),
        memory_max  = GREATEST(memory_max, NEW.memory_usage),
        latest_ts   = GREATEST(latest_ts, NEW.entry_ts);

-- Counts and sums are taken back. A least or greatest value is looked up again only where the row that went held it. What is
-- left without a row goes first, so that what is updated has rows to look at; the DELETE also takes the total's lock.
CREATE TRIGGER telemetry_removed_1_last_of_total AFTER DELETE ON telemetry FOR EACH ROW
    DELETE FROM device_total
    WHERE device_id = OLD.device_id AND data_points = 1;

CREATE TRIGGER telemetry_removed_2_last_of_minute AFTER DELETE ON telemetry FOR EACH ROW
    DELETE FROM device_minute
    WHERE minute = DATE_FORMAT(OLD.entry_ts, '%Y-%m-%d %H:%i:00') AND device_id = OLD.device_id AND data_points = 1;

CREATE TRIGGER telemetry_removed_3_minute AFTER DELETE ON telemetry FOR EACH ROW
    UPDATE device_minute
    SET data_points = data_points - 1,
        cpu_sum = cpu_sum - OLD.cpu_usage,
        cpu_min = IF(
            OLD.cpu_usage > cpu_min, cpu_min,
            (SELECT MIN(cpu_usage) FROM telemetry
             WHERE device_id = OLD.device_id
               AND entry_ts >= DATE_FORMAT(OLD.entry_ts, '%Y-%m-%d %H:%i:00')
               AND entry_ts <= DATE_FORMAT(OLD.entry_ts, '%Y-%m-%d %H:%i:59.999999'))
        ),
        cpu_max = IF(
            OLD.cpu_usage < cpu_max, cpu_max,
            (SELECT MAX(cpu_usage) FROM telemetry
             WHERE device_id = OLD.device_id
               AND entry_ts >= DATE_FORMAT(OLD.entry_ts, '%Y-%m-%d %H:%i:00')
               AND entry_ts <= DATE_FORMAT(OLD.entry_ts, '%Y-%m-%d %H:%i:59.999999'))
        ),
        memory_sum = memory_sum - OLD.memory_usage,
        memory_min = IF(
            OLD.memory_usage > memory_min, memory_min,
            (SELECT MIN(memory_usage) FROM telemetry
             WHERE device_id = OLD.device_id
               AND entry_ts >= DATE_FORMAT(OLD.entry_ts, '%Y-%m-%d %H:%i:00')
               AND entry_ts <= DATE_FORMAT(OLD.entry_ts, '%Y-%m-%d %H:%i:59.999999'))
        ),
        memory_max = IF(
            OLD.memory_usage < memory_max, memory_max,
            (SELECT MAX(memory_usage) FROM telemetry
             WHERE device_id = OLD.device_id
               AND entry_ts >= DATE_FORMAT(OLD.entry_ts, '%Y-%m-%d %H:%i:00')
               AND entry_ts <= DATE_FORMAT(OLD.entry_ts, '%Y-%m-%d %H:%i:59.999999'))
        ),
        latest_ts = IF(
            OLD.entry_ts < latest_ts, latest_ts,
            (SELECT MAX(entry_ts) FROM telemetry
             WHERE device_id = OLD.device_id
               AND entry_ts >= DATE_FORMAT(OLD.entry_ts, '%Y-%m-%d %H:%i:00')
               AND entry_ts <= DATE_FORMAT(OLD.entry_ts, '%Y-%m-%d %H:%i:59.999999'))
        )
    WHERE minute = DATE_FORMAT(OLD.entry_ts, '%Y-%m-%d %H:%i:00') AND device_id = OLD.device_id;

CREATE TRIGGER telemetry_removed_4_total AFTER DELETE ON telemetry FOR EACH ROW
    UPDATE device_total
    SET data_points = data_points - 1,
        cpu_sum = cpu_sum - OLD.cpu_usage,
        cpu_min = IF(
            OLD.cpu_usage > cpu_min, cpu_min,
            (SELECT MIN(cpu_min) FROM device_minute WHERE device_id = OLD.device_id)
        ),
        cpu_max = IF(
            OLD.cpu_usage < cpu_max, cpu_max,
            (SELECT MAX(cpu_max) FROM device_minute WHERE device_id = OLD.device_id)
        ),
        memory_sum = memory_sum - OLD.memory_usage,
        memory_min = IF(
            OLD.memory_usage > memory_min, memory_min,
            (SELECT MIN(memory_min) FROM device_minute WHERE device_id = OLD.device_id)
        ),
        memory_max = IF(
            OLD.memory_usage < memory_max, memory_max,
            (SELECT MAX(memory_max) FROM device_minute WHERE device_id = OLD.device_id)
        ),
        latest_ts = IF(
            OLD.entry_ts < latest_ts, latest_ts,
            (SELECT MAX(latest_ts) FROM device_minute WHERE device_id = OLD.device_id)
        )
    WHERE device_id = OLD.device_id;

-- A message is a fact: it comes and goes, it does not change. (TRUNCATE runs no triggers: empty all three tables then.)
CREATE TRIGGER telemetry_unchanged BEFORE UPDATE ON telemetry FOR EACH ROW
    SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'a row of telemetry is not changed: delete it or insert another';
