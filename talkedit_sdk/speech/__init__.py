"""Talking faces from speech: sound as features, text as sound, and what a face does while it is spoken."""
