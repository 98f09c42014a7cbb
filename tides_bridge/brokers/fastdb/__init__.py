"""DESC's FASTDB, which has gathered Rubin's alerts and what brokers say of them: an API in place of a stream."""
