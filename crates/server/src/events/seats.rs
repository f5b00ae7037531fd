//! How many may listen to events at once: each listener asks the store every second.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use alfred_model::user::UserName;

use crate::problem::{Code, Problem};

/// So many streams in all.
const ALL_MAX: usize = 512;

/// So many streams of one user, so that no user takes all.
const USER_MAX: usize = 32;

/// The listeners of this process, by user.
#[derive(Debug, Default)]
pub(crate) struct Seats {
    taken: Mutex<HashMap<UserName, usize>>,
}

/// One listener's seat; dropping it leaves it.
#[derive(Debug)]
pub(super) struct Seat {
    seats: Arc<Seats>,
    user: UserName,
}

impl Seats {
    /// Takes a seat, if one is free.
    pub(super) fn take(self: &Arc<Self>, user: &UserName) -> Result<Seat, Problem> {
        let mut taken = self.lock();
        if taken.values().sum::<usize>() >= ALL_MAX {
            return Err(Problem::new(Code::TooManyStreams, format!("{ALL_MAX} event streams are open")));
        }
        let own = taken.entry(user.clone()).or_default();
        if *own >= USER_MAX {
            return Err(Problem::new(Code::TooManyStreams, format!("`{user}` has {USER_MAX} event streams open")));
        }
        *own += 1;
        Ok(Seat { seats: Arc::clone(self), user: user.clone() })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<UserName, usize>> {
        // Counting cannot stop half-way; a panic elsewhere does not spoil the map.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.lock();
        if let Some(own) = taken.get_mut(&self.user) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                taken.remove(&self.user);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_user_cannot_take_all_seats_and_a_left_seat_is_free_again() {
        let seats = Arc::new(Seats::default());
        let (alice, bob): (UserName, UserName) = ("alice".parse().unwrap(), "bob".parse().unwrap());
        let mut held: Vec<Seat> = (0..USER_MAX).map(|_| seats.take(&alice).unwrap()).collect();
        assert_eq!(seats.take(&alice).unwrap_err().code(), Code::TooManyStreams);
        assert!(seats.take(&bob).is_ok());
        held.pop();
        assert!(seats.take(&alice).is_ok());
        drop(held);
        assert!(seats.lock().is_empty());
    }

    #[test]
    fn there_are_so_many_seats_in_all() {
        let seats = Arc::new(Seats::default());
        let user = |index: usize| -> UserName { format!("user{}", index / USER_MAX).parse().unwrap() };
        let held: Vec<Seat> = (0..ALL_MAX).map(|index| seats.take(&user(index)).unwrap()).collect();
        assert_eq!(seats.take(&user(ALL_MAX)).unwrap_err().code(), Code::TooManyStreams);
        drop(held);
        assert!(seats.take(&user(0)).is_ok());
    }
}
