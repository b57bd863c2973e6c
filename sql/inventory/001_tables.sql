-- The guide's tables. Widths and keys are its own; names compare byte by byte, so that `Zlib`, `zlib` and `zlib ` are three.
CREATE TABLE IF NOT EXISTS ec2 (
    aws_instance_id   VARCHAR(255) NOT NULL,
    aws_region        VARCHAR(30)  NOT NULL,
    aws_account       VARCHAR(13)  NOT NULL,
    creation_date_utc DATETIME     NOT NULL,
    -- The request that stored the row: by it a request whose commit was not answered knows its own work.
    stored_by         VARCHAR(64)  NOT NULL,
    PRIMARY KEY (aws_instance_id)
) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin;

CREATE TABLE IF NOT EXISTS package (
    package_name    VARCHAR(100) NOT NULL,
    package_version VARCHAR(50)  NOT NULL,
    PRIMARY KEY (package_name, package_version)
) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin;

-- The primary key is the order in which an instance's packages are read; the second one answers who has a package, and
-- carries the foreign key.
CREATE TABLE IF NOT EXISTS ec2_package (
    aws_instance_id VARCHAR(255) NOT NULL,
    package_name    VARCHAR(100) NOT NULL,
    package_version VARCHAR(50)  NOT NULL,
    PRIMARY KEY (aws_instance_id, package_name, package_version),
    KEY instances_of_package (package_name, package_version),
    FOREIGN KEY (aws_instance_id) REFERENCES ec2 (aws_instance_id) ON DELETE CASCADE,
    FOREIGN KEY (package_name, package_version) REFERENCES package (package_name, package_version)
) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin;
