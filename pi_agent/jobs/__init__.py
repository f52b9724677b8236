"""What the agent does by itself, again and again: plain functions, and the schedule that calls them."""
