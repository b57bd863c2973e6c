-- What the dashboard and the analytics read in place of the messages: one row per device and minute, and one per device.
-- Two devices never share a row, so they never wait for each other; the totals of the lab are the sum over its devices.
CREATE TABLE IF NOT EXISTS device_minute (
    minute      DATETIME                                            NOT NULL,
    device_id   VARCHAR(100) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin NOT NULL,
    data_points BIGINT                                              NOT NULL,
    cpu_sum     DECIMAL(32, 16)                                     NOT NULL,
    cpu_min     DECIMAL(17, 16)                                     NOT NULL,
    cpu_max     DECIMAL(17, 16)                                     NOT NULL,
    memory_sum  DECIMAL(32, 16)                                     NOT NULL,
    memory_min  DECIMAL(17, 16)                                     NOT NULL,
    memory_max  DECIMAL(17, 16)                                     NOT NULL,
    latest_ts   DATETIME(6)                                         NOT NULL,
    -- By time first: a period is one stretch of the table.
    PRIMARY KEY (minute, device_id),
    KEY device (device_id)
) CHARACTER SET utf8mb4;

CREATE TABLE IF NOT EXISTS device_total (
    device_id   VARCHAR(100) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin NOT NULL PRIMARY KEY,
    data_points BIGINT                                              NOT NULL,
    cpu_sum     DECIMAL(32, 16)                                     NOT NULL,
    cpu_min     DECIMAL(17, 16)                                     NOT NULL,
    cpu_max     DECIMAL(17, 16)                                     NOT NULL,
    memory_sum  DECIMAL(32, 16)                                     NOT NULL,
    memory_min  DECIMAL(17, 16)                                     NOT NULL,
    memory_max  DECIMAL(17, 16)                                     NOT NULL,
    latest_ts   DATETIME(6)                                         NOT NULL
) CHARACTER SET utf8mb4;
