"""The spine: frames appended by the relays, read in order by the observer. Knows no dialects."""
