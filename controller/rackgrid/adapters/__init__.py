"""The world, translated to events; actions, carried out."""
