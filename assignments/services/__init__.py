"""Rules over several rows. Locks are taken in one order everywhere: submission or attempt, its assignment,
then enrollment."""
