-- What devices send, one row per message. `data` is the message; the other columns are read from it by the database, so that
-- every way to insert gives the same, and what is no message is refused whoever inserts it. Two ids that differ in nothing but
-- blanks at their ends are two devices: the collation pads nothing.
--
-- `entry_ts` is the moment in UTC: the digits of the RFC 3339 text (at most six of the fraction) less its offset. There is
-- no cast to DATETIME in it: MariaDB takes none in a stored column. Metrics are decimals: 0.1 is more than 0.09, and sums are exact,
-- so that what was added to a roll-up can be taken out again.
CREATE TABLE IF NOT EXISTS telemetry (
    id           BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    data         JSON            NOT NULL,
    created      TIMESTAMP(6)    NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    device_id    VARCHAR(100) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin
                 GENERATED ALWAYS AS (JSON_UNQUOTE(JSON_EXTRACT(data, '$.device_id'))) STORED,
    entry_ts     DATETIME(6)
                 GENERATED ALWAYS AS (
                     LEFT(
                         LEFT(
                             JSON_UNQUOTE(JSON_EXTRACT(data, '$.timestamp')),
                             CHAR_LENGTH(JSON_UNQUOTE(JSON_EXTRACT(data, '$.timestamp')))
                                 - IF(RIGHT(JSON_UNQUOTE(JSON_EXTRACT(data, '$.timestamp')), 1) IN ('Z', 'z'), 1, 6)
                         ),
                         26
                     ) - INTERVAL IF(
                         RIGHT(JSON_UNQUOTE(JSON_EXTRACT(data, '$.timestamp')), 1) IN ('Z', 'z'),
                         '00:00',
                         RIGHT(JSON_UNQUOTE(JSON_EXTRACT(data, '$.timestamp')), 6)
                     ) HOUR_MINUTE
                 ) STORED,
    cpu_usage    DECIMAL(17, 16)
                 GENERATED ALWAYS AS (CAST(JSON_UNQUOTE(JSON_EXTRACT(data, '$.cpu_usage')) AS DECIMAL(17, 16))) STORED,
    memory_usage DECIMAL(17, 16)
                 GENERATED ALWAYS AS (CAST(JSON_UNQUOTE(JSON_EXTRACT(data, '$.memory_usage')) AS DECIMAL(17, 16))) STORED,
    -- One device in a period; a device's minute is read from this index alone when a roll-up has lost its least or greatest.
    KEY device_period (device_id, entry_ts, cpu_usage, memory_usage),
    -- All devices in a period: the parts of a minute at its two ends.
    KEY period (entry_ts),
    CONSTRAINT telemetry_is_a_message CHECK (
        JSON_TYPE(JSON_EXTRACT(data, '$.device_id')) = 'STRING'
        AND JSON_TYPE(JSON_EXTRACT(data, '$.cpu_usage')) IN ('INTEGER', 'UNSIGNED INTEGER', 'DECIMAL', 'DOUBLE')
        AND JSON_TYPE(JSON_EXTRACT(data, '$.memory_usage')) IN ('INTEGER', 'UNSIGNED INTEGER', 'DECIMAL', 'DOUBLE')
        AND JSON_UNQUOTE(JSON_EXTRACT(data, '$.timestamp')) REGEXP
            '^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]+)?([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$'
    ),
    CONSTRAINT telemetry_is_complete CHECK (
        CHAR_LENGTH(device_id) BETWEEN 1 AND 100
        AND entry_ts IS NOT NULL
        AND cpu_usage BETWEEN 0 AND 1
        AND memory_usage BETWEEN 0 AND 1
        AND cpu_usage IS NOT NULL
        AND memory_usage IS NOT NULL
        AND device_id IS NOT NULL
    )
) CHARACTER SET utf8mb4;
