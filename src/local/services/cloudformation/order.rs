//! In which order things are done: what depends on something waits for it, the rest goes at once.

use std::collections::{BTreeSet, VecDeque};

/// Nodes are numbers; an edge says that one waits for another.
#[derive(Debug)]
pub(super) struct Walk {
    dependents: Vec<Vec<usize>>,
    missing: Vec<usize>,
    ready: VecDeque<usize>,
}

impl Walk {
    /// `waits_for[n]` are the nodes that must be done before `n`. Nodes that are ready together come in their own order.
    pub(super) fn new(waits_for: &[BTreeSet<usize>]) -> Self {
        let mut dependents = vec![Vec::new(); waits_for.len()];
        for (node, before) in waits_for.iter().enumerate() {
            for &other in before {
                dependents[other].push(node);
            }
        }
        let missing: Vec<usize> = waits_for.iter().map(BTreeSet::len).collect();
        let ready = (0..missing.len()).filter(|&node| missing[node] == 0).collect();
        Walk { dependents, missing, ready }
    }

    /// The same graph, walked from its ends: for deletion.
    pub(super) fn reversed(waits_for: &[BTreeSet<usize>]) -> Self {
        let mut turned = vec![BTreeSet::new(); waits_for.len()];
        for (node, before) in waits_for.iter().enumerate() {
            for &other in before {
                turned[other].insert(node);
            }
        }
        Walk::new(&turned)
    }

    /// A node that may be started now.
    pub(super) fn next(&mut self) -> Option<usize> {
        self.ready.pop_front()
    }

    /// `node` is done: what waited for it alone becomes ready.
    pub(super) fn done(&mut self, node: usize) {
        for &dependent in &self.dependents[node] {
            self.missing[dependent] -= 1;
            if self.missing[dependent] == 0 {
                self.ready.push_back(dependent);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(edges: &[&[usize]]) -> Vec<BTreeSet<usize>> {
        edges.iter().map(|before| before.iter().copied().collect()).collect()
    }

    #[test]
    fn a_node_is_ready_when_all_it_waits_for_is_done() {
        let mut walk = Walk::new(&graph(&[&[], &[], &[0, 1], &[2]]));
        assert_eq!((walk.next(), walk.next(), walk.next()), (Some(0), Some(1), None));
        walk.done(0);
        assert_eq!(walk.next(), None);
        walk.done(1);
        assert_eq!(walk.next(), Some(2));
        walk.done(2);
        assert_eq!(walk.next(), Some(3));
        walk.done(3);
        assert_eq!(walk.next(), None);
    }

    #[test]
    fn deletion_starts_at_what_nothing_needs() {
        let mut walk = Walk::reversed(&graph(&[&[], &[0], &[0]]));
        assert_eq!((walk.next(), walk.next(), walk.next()), (Some(1), Some(2), None));
        walk.done(1);
        walk.done(2);
        assert_eq!(walk.next(), Some(0));
    }
}
