"""What every answer has in common: who asks, what is asked, shapes, problems, limits."""
