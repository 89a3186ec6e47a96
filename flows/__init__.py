"""In what order does it all happen? The graph, its one stateful step, and the clock."""
