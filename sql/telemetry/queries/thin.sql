-- Deletes a random sample of the messages. The roll-ups follow: each row that goes is taken out of them in the same transaction.
DELETE FROM telemetry
WHERE RAND() * 100 < :percent
