-- purpose: several brokers at once: what is due to which of them, how far each stream was read, whose magnitude is sent
-- makes: columns of api_call, deferred_object, refused_message, stream_position, exchange_log,
--        run_log

-- Until now there was one kind of broker.
ALTER TABLE api_call ADD COLUMN broker text NOT NULL DEFAULT 'lasair_ztf';
ALTER TABLE api_call ALTER COLUMN broker DROP DEFAULT;
ALTER TABLE deferred_object ADD COLUMN broker text NOT NULL DEFAULT 'lasair_ztf';
ALTER TABLE deferred_object ALTER COLUMN broker DROP DEFAULT;

COMMENT ON COLUMN api_call.broker IS 'each has an hourly limit of its own';
COMMENT ON COLUMN deferred_object.broker IS 'which is to be asked for the light curve';

ALTER TABLE refused_message
ADD COLUMN message_key bytea,
ADD COLUMN judged_at timestamptz,
ADD COLUMN broker text NOT NULL DEFAULT 'lasair_ztf';
ALTER TABLE refused_message ALTER COLUMN broker DROP DEFAULT;

COMMENT ON COLUMN refused_message.message_key IS 'the key in Kafka: at Fink it holds the schema';
COMMENT ON COLUMN refused_message.judged_at IS 'when a run read it again, after tides refused retry had accepted it';

-- What was accepted before was deferred then.
UPDATE refused_message SET judged_at = accepted_at WHERE accepted_at IS NOT NULL;

CREATE INDEX refused_message_accepted ON refused_message (broker) WHERE accepted_at IS NOT NULL AND judged_at IS NULL;

ALTER TABLE stream_position
ADD COLUMN lag bigint,
ADD COLUMN lag_at timestamptz,
ADD COLUMN last_message_at timestamptz;

COMMENT ON COLUMN stream_position.lag IS 'messages that were still to be read at the end of the last pull';
COMMENT ON COLUMN stream_position.last_message_at IS 'when the last message read was published';

ALTER TABLE exchange_log ADD COLUMN magnitude_origin text;

COMMENT ON COLUMN exchange_log.magnitude_origin IS 'which magnitude was sent, and how it was converted';

ALTER TABLE run_log ADD COLUMN broker text;

COMMENT ON COLUMN run_log.broker IS 'of a pull: that one broker goes well must not hide that another does not';
