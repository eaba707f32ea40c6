"""Rules over several rows: the blog, conversations, the feedback form."""
