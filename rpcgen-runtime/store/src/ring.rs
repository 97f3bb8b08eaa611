//! What is known of things that are numbered, mostly come in order and mostly go in order.
//!
//! Knows: numbers. Does not know: what they count. A queue that is searched by halving: no hashing, no allocation per item. Gaps are closed
//! when they are half of it.

use std::collections::VecDeque;

/// Below this length gaps stay.
const TIDY_FROM: usize = 32;

#[derive(Clone, Debug)]
pub(crate) struct Ring<T> {
    items: VecDeque<(u64, Option<T>)>,
    gaps: usize,
}

impl<T> Default for Ring<T> {
    fn default() -> Self {
        Self { items: VecDeque::new(), gaps: 0 }
    }
}

impl<T> Ring<T> {
    /// Where the number is, or would be.
    fn place(&self, number: u64) -> Result<usize, usize> {
        // Numbers in a row, as they mostly are, are found at once.
        if let Some((front, _)) = self.items.front()
            && let Some(at) = number.checked_sub(*front).and_then(|at| usize::try_from(at).ok())
            && self.items.get(at).is_some_and(|(found, _)| *found == number)
        {
            return Ok(at);
        }
        self.items.binary_search_by_key(&number, |(number, _)| *number)
    }

    pub(crate) fn get_mut(&mut self, number: u64) -> Option<&mut T> {
        let at = self.place(number).ok()?;
        self.items.get_mut(at)?.1.as_mut()
    }

    /// Enters it, in the place of what is there.
    pub(crate) fn insert(&mut self, number: u64, item: T) {
        if self.items.back().is_none_or(|(last, _)| *last < number) {
            return self.items.push_back((number, Some(item)));
        }
        match self.place(number) {
            Ok(at) => {
                let was_gap = self.items[at].1.replace(item).is_none();
                self.gaps -= usize::from(was_gap);
            }
            Err(at) => self.items.insert(at, (number, Some(item))),
        }
    }

    pub(crate) fn remove(&mut self, number: u64) -> Option<T> {
        let at = self.place(number).ok()?;
        let item = self.items.get_mut(at)?.1.take()?;
        self.gaps += 1;
        while self.items.front().is_some_and(|(_, item)| item.is_none()) {
            self.items.pop_front();
            self.gaps -= 1;
        }
        if self.items.len() >= TIDY_FROM && self.gaps > self.items.len() / 2 {
            self.items.retain(|(_, item)| item.is_some());
            self.gaps = 0;
        }
        Some(item)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.items.len() - self.gaps
    }

    /// The highest number.
    pub(crate) fn last(&self) -> Option<u64> {
        self.items.iter().rev().find(|(_, item)| item.is_some()).map(|(number, _)| *number)
    }

    /// Keeps those that hold.
    pub(crate) fn retain(&mut self, mut holds: impl FnMut(&T) -> bool) {
        self.items.retain(|(_, item)| item.as_ref().is_some_and(&mut holds));
        self.gaps = 0;
    }

    /// All, in order of numbers.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, &T)> {
        self.items.iter().filter_map(|(number, item)| Some((*number, item.as_ref()?)))
    }

    /// Takes all out, in order of numbers.
    pub(crate) fn take(&mut self) -> impl Iterator<Item = (u64, T)> {
        self.gaps = 0;
        std::mem::take(&mut self.items).into_iter().filter_map(|(number, item)| Some((number, item?)))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rpcgen_log::testing::Random;

    use super::*;

    #[test]
    fn ring_does_what_a_map_does_and_keeps_few_gaps() {
        let mut random = Random(1);
        let (mut ring, mut map) = (Ring::default(), BTreeMap::new());
        for step in 0..20_000_u64 {
            let number = (step / 4).saturating_sub(random.below(200));
            match random.below(3) {
                0 => {
                    ring.insert(number, step);
                    map.insert(number, step);
                }
                1 => assert_eq!(ring.remove(number), map.remove(&number)),
                _ => assert_eq!(ring.get_mut(number), map.get_mut(&number)),
            }
            assert_eq!(ring.len(), map.len());
            assert!(ring.items.len() <= (2 * map.len() + 2).max(TIDY_FROM), "{} of {}", ring.items.len(), map.len());
        }
        assert!(ring.iter().map(|(number, item)| (number, *item)).eq(map.clone()));
        assert!(ring.take().eq(map));
        assert_eq!(ring.len(), 0);
    }
}
