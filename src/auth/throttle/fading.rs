//! A map that forgets what was not looked at for longest, so that its size has a bound.

use std::collections::HashMap;
use std::hash::Hash;

/// Holds up to twice `half` entries. What was neither made nor looked at while `half` others were, may be gone.
pub(super) struct Fading<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
    half: usize,
}

impl<K: Copy + Eq + Hash, V: Default> Fading<K, V> {
    pub(super) fn new(half: usize) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), half }
    }

    /// What there is for the key. It is as young as can be after that.
    pub(super) fn get(&mut self, key: K) -> Option<&mut V> {
        if let Some(value) = self.old.remove(&key) {
            self.put(key, value);
        }
        self.young.get_mut(&key)
    }

    /// What there is for the key, made if there is nothing.
    pub(super) fn get_or_new(&mut self, key: K) -> &mut V {
        if self.get(key).is_none() {
            self.put(key, V::default());
        }
        self.young.entry(key).or_default()
    }

    /// Removes what there is for the key if it is worth nothing.
    pub(super) fn remove_if(&mut self, key: K, is_nothing: impl FnOnce(&V) -> bool) {
        if self.young.get(&key).is_some_and(is_nothing) {
            self.young.remove(&key);
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }

    fn put(&mut self, key: K, value: V) {
        if self.young.len() >= self.half {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stays_small_and_keeps_what_is_looked_at() {
        let mut fading = Fading::<u32, u32>::new(10);
        *fading.get_or_new(0) = 7;
        for key in 1..10_000 {
            fading.get_or_new(key);
            assert!(fading.len() <= 20);
            if key % 9 == 0 {
                assert_eq!(fading.get(0), Some(&mut 7));
            }
        }
        assert_eq!(fading.get(5_000), None);
        fading.remove_if(0, |value| *value == 0);
        assert!(fading.get(0).is_some());
        fading.remove_if(0, |value| *value == 7);
        assert!(fading.get(0).is_none());
    }
}
