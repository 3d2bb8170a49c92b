"""What cannot be applied automatically and must not be dropped: a case that a person looks at."""
