"""Quality: signals of each answer, its score, and the detector that notices when the model behind changed."""
