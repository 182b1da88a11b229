"""What peers send and what must become of it, drawn from the grammar rule by rule."""
