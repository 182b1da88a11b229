"""Raw conversations and what comes of them."""
