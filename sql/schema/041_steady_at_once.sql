-- purpose: find the few targets that may be steady without reading all: who asks for questions waited for it
-- needs: tides_master, steady_doubts
-- makes: an index

CREATE INDEX tides_master_long_seen ON tides_master ((last_detection_mjd - first_detection_mjd))
WHERE active OR inactive_reason = 'steady';
