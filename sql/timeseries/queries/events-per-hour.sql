-- What each board sent in each hour of a period; of one board or one sensor, if they are named. Values may be as large as a double:
-- a power of two (2^40) keeps their sum from running over, and changes no digit.
SELECT ts - INTERVAL (MINUTE(ts) * 60 + SECOND(ts)) SECOND AS hour,
       board,
       COUNT(*) AS events,
       AVG(value / 1099511627776) * 1099511627776 AS average,
       MIN(value) AS least,
       MAX(value) AS most
FROM events
WHERE ts >= :since
  AND (:board = '' OR board = :board)
  AND (:sensor = '' OR sensor = :sensor)
GROUP BY hour, board
ORDER BY hour, board
