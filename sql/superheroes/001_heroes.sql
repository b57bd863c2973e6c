-- The table of heroes. Field names and VARCHAR(20) are the guide's; ids of new rows come from the database.
CREATE TABLE IF NOT EXISTS heroes (
    id    INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    hero  VARCHAR(20)  NOT NULL,
    power VARCHAR(20)  NOT NULL,
    name  VARCHAR(20)  NOT NULL,
    xp    INT          NOT NULL,
    color VARCHAR(20)  NOT NULL
) CHARACTER SET utf8mb4;
