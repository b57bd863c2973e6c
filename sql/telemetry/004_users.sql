-- Who connects: the function, by IAM tokens over TLS. It can add messages and see nothing; the roll-ups are written by triggers, which
-- run with the rights of whoever made them.
CREATE USER IF NOT EXISTS telemetry IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS';

GRANT INSERT ON telemetry TO telemetry;
