"""What Headgate touches: one outside act per task, each with its retry policy."""
