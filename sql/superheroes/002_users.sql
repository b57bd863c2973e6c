-- Who connects: the functions, by IAM tokens over TLS, each with what it needs.
CREATE USER IF NOT EXISTS superheroes IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS';

GRANT SELECT, INSERT ON heroes TO superheroes;

CREATE USER IF NOT EXISTS loader IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS';

GRANT SELECT, INSERT, DELETE ON heroes TO loader;

GRANT AWS_LOAD_S3_ACCESS TO loader;
