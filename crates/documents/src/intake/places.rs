//! How many files are taken in at once: from everybody, and from one person.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

/// The places there are. Nobody takes more than half of them, so that whoever sends slowly keeps nobody else out.
/// Cheap to clone.
#[derive(Debug, Clone)]
pub struct Places(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    most: usize,
    taken: Mutex<HashMap<String, usize>>,
}

/// A place, until it is dropped.
#[derive(Debug)]
pub struct Place {
    places: Places,
    owner: String,
}

impl Places {
    /// So many.
    pub fn new(most: usize) -> Self {
        Self(Arc::new(Inner { most, taken: Mutex::default() }))
    }

    /// A place for a file of this person's; none when all are taken, or all that they may have.
    pub fn take(&self, owner: &str) -> Option<Place> {
        let mut taken = self.0.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let all = taken.values().copied().fold(0, usize::saturating_add);
        let own = taken.get(owner).copied().unwrap_or(0);
        if all >= self.0.most || own >= self.0.most.div_ceil(2) {
            return None;
        }
        taken.insert(owner.to_owned(), own.saturating_add(1));
        Some(Place { places: self.clone(), owner: owner.to_owned() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.0.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let left = taken.get(&self.owner).copied().unwrap_or(0).saturating_sub(1);
        if left == 0 {
            taken.remove(&self.owner);
        } else {
            taken.insert(self.owner.clone(), left);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_takes_all_places() {
        let places = Places::new(4);
        let [first, second] = [places.take("a"), places.take("a")];
        assert!(first.is_some() && second.is_some() && places.take("a").is_none());
        let others = [places.take("b"), places.take("c")];
        assert!(others.iter().all(Option::is_some) && places.take("d").is_none());
        drop(first);
        assert!(places.take("a").is_some());
        drop((second, others));
        assert!(places.0.taken.lock().unwrap().is_empty());
        assert!(Places::new(1).take("a").is_some());
    }
}
