"""Pretraining of the sample's tiny base models on scenes of their own."""
