"""Services that answer as those outside do: Kafka, the light-curve APIs of brokers; and the faults they may have."""
