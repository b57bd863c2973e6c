-- Who connects, by IAM tokens over TLS: the function, which can only add, and whoever looks at what came.
CREATE USER IF NOT EXISTS webhook IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS';

GRANT INSERT ON events TO webhook;

CREATE USER IF NOT EXISTS reader IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS';

GRANT SELECT ON events TO reader;
