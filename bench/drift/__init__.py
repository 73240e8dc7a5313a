"""How well drift is found, on real answers: streams with known changes, the product beside stock detectors."""
