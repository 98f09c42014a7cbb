"""Files of alerts sent to a Kafka topic, in the order and at the pace in which they were published."""
