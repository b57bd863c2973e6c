-- What each board sent in each hour of a period; of one board or one sensor, if they are named.
SELECT ts - INTERVAL (MINUTE(ts) * 60 + SECOND(ts)) SECOND AS hour,
       board,
       COUNT(*) AS events,
       AVG(value) AS average,
       MIN(value) AS least,
       MAX(value) AS most
FROM events
WHERE ts >= :since
  AND (:board = '' OR board = :board)
  AND (:sensor = '' OR sensor = :sensor)
GROUP BY hour, board
ORDER BY hour, board
