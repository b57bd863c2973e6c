-- Deletes a random sample of the messages, a range of them at a time. The roll-ups follow: each row that goes is taken out of them in
-- the same transaction.
DELETE FROM telemetry
WHERE id BETWEEN :from AND :to
  AND RAND() * 100 < :percent
