-- The guide's table. `ts` is when the value arrived, UTC. The key on `ts` holds all that a summary of a period looks at, which
-- then reads the period's part of the key and no row of the table. Names compare byte by byte: `Board` is not `board`.
CREATE TABLE IF NOT EXISTS events (
    id     INT         NOT NULL AUTO_INCREMENT,
    ts     DATETIME    NOT NULL,
    value  DOUBLE      NOT NULL,
    board  VARCHAR(36) NOT NULL,
    sensor VARCHAR(45) NOT NULL,
    PRIMARY KEY (id),
    KEY ts (ts, board, sensor, value),
    KEY board (board, ts)
) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin;
