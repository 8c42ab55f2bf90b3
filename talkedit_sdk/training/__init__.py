"""Data preparation and training of everything in `talkedit_sdk/weights`."""
