"""What would happen if the candidate broke in this way: named faults, put into history and replayed."""
