//! Runs plans: observes what is there, walks the graph, emits typed events.
