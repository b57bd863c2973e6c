-- The heroes of heroes.csv. REPLACE: run again after an interruption, it ends with the same rows.
LOAD DATA FROM S3 's3://${LabBucket}/heroes.csv'
    REPLACE INTO TABLE heroes
    CHARACTER SET utf8mb4
    FIELDS TERMINATED BY ','
    LINES TERMINATED BY '\n'
    (id, hero, power, name, xp, color);
