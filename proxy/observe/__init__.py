"""The observation path: an exchange becomes a call record, priced and kept."""
