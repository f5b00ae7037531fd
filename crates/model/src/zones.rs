//! Which zone a new environment's name goes to. A zone holds only so many records: 200 on the Free plan, 3,500 on others
//! (<https://developers.cloudflare.com/dns/manage-dns-records/>).
//!
//! A name is promised before its VM is bought, so promised names count as records.

/// How full a zone is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// How many records it may hold; nothing, where the account's quota counts instead or it is not known.
    pub quota: Option<u64>,
    /// How many it holds, also those that are not ours.
    pub used: u64,
    /// How many names are promised whose records are not written yet.
    pub promised: u64,
}

impl Room {
    /// How many more names it can take; nothing, where there is no limit.
    pub fn free(&self) -> Option<u64> {
        self.quota.map(|quota| quota.saturating_sub(self.used).saturating_sub(self.promised))
    }

    /// Room left, for comparing zones: one without a limit has more than any with one, and less the more it holds.
    fn rank(&self) -> u64 {
        const UNLIMITED: u64 = u64::MAX / 2;
        self.free()
            .unwrap_or_else(|| UNLIMITED.saturating_add(UNLIMITED / 2) - (self.used + self.promised).min(UNLIMITED / 2))
    }
}

/// Spreads `count` new names over zones, each into the one with the most room left then; the zones' places in order of
/// the names. Nothing, if there is not room for all.
pub fn spread(rooms: &[Room], count: usize) -> Option<Vec<usize>> {
    let mut rooms = rooms.to_vec();
    let mut places = Vec::with_capacity(count);
    for _ in 0..count {
        let (place, room) = rooms.iter_mut().enumerate().max_by_key(|(place, room)| {
            // Of equal ones the first.
            (room.rank(), std::cmp::Reverse(*place))
        })?;
        if room.free() == Some(0) {
            return None;
        }
        room.promised += 1;
        places.push(place);
    }
    Some(places)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn room(quota: impl Into<Option<u64>>, used: u64, promised: u64) -> Room {
        Room { quota: quota.into(), used, promised }
    }

    #[test]
    fn names_go_where_there_is_most_room() {
        let rooms = [room(200, 150, 0), room(200, 100, 20), room(200, 200, 0)];
        assert_eq!(spread(&rooms, 3), Some(vec![1, 1, 1]));
        let places = spread(&rooms, 130).expect("50 and 80");
        assert_eq!(
            (places.iter().filter(|it| **it == 0).count(), places.iter().filter(|it| **it == 1).count()),
            (50, 80)
        );
        assert_eq!(spread(&rooms, 131), None);
        assert_eq!(spread(&[room(None, 9_000, 0), room(3_500, 0, 0)], 1), Some(vec![0]), "no limit is most room");
        assert_eq!(spread(&[room(None, 5, 0), room(None, 4, 0)], 2), Some(vec![1, 0]));
        assert_eq!(spread(&[room(None, u64::MAX, 0), room(1, 0, 0)], 1).map(|places| places.len()), Some(1));
        assert_eq!(spread(&[], 1), None);
        assert_eq!(spread(&[], 0), Some(vec![]));
    }

    fn any_room() -> impl Strategy<Value = Room> {
        (proptest::option::of(0_u64..300), 0_u64..300, 0_u64..50).prop_map(|(quota, used, promised)| Room {
            quota,
            used,
            promised,
        })
    }

    proptest! {
        #[test]
        fn no_zone_is_given_more_than_it_has_room_for(
            rooms in proptest::collection::vec(any_room(), 0..5),
            count in 0_usize..200,
        ) {
            let free: Option<u64> = rooms.iter().map(Room::free).sum();
            let fits = free.is_none_or(|free| free >= count as u64) && (count == 0 || !rooms.is_empty());
            let places = spread(&rooms, count);
            prop_assert_eq!(places.is_some(), fits);
            for (place, room) in rooms.iter().enumerate() {
                let given = places.iter().flatten().filter(|it| **it == place).count() as u64;
                prop_assert!(room.free().is_none_or(|free| given <= free));
            }
        }
    }
}
