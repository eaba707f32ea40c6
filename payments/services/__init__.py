"""Rules over several rows. Locks are taken in one order everywhere: coupon, payments by their ids, number series,
enrollment."""
