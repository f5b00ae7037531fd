//! What the trait promises, one function for each rule, run on each implementation.

mod commits;
mod environments;
mod expiry;
pub(crate) mod exports;
mod leases;
mod ledger;
mod pool;
mod quota;
mod shared;
mod sightings;
mod states;
mod users;

/// Runs each rule on the memory, SQLite and PostgreSQL stores.
macro_rules! on_every_store {
    ($($group:ident: $($rule:ident)+;)+) => {
        on_every_store!(@ memory $($group: $($rule)+;)+);
        on_every_store!(@ sqlite $($group: $($rule)+;)+);
        on_every_store!(@ postgres $($group: $($rule)+;)+);
    };
    (@ $store:ident $($group:ident: $($rule:ident)+;)+) => {
        mod $store {
            $(mod $group {
                $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $rule() {
                    let opened = crate::fixture::$store().await;
                    super::super::$group::$rule(opened.store).await;
                })+
            })+
        }
    };
}

on_every_store! {
    environments:
        the_installation_is_given_once
        a_ping_is_answered
        what_was_created_is_read_back
        all_or_none_are_created
        a_request_is_repeated_by_its_key
        a_key_belongs_to_a_user_and_a_request
        a_slug_is_free_again_after_deletion
        a_slug_twice_in_one_request_is_taken
        an_id_is_used_once
        lists_are_filtered_and_paged
        lists_know_deleted_environments
        nul_characters_do_not_hurt;
    expiry:
        an_end_is_read_back
        an_end_changes_only_from_what_was_read
        what_is_over_is_wished_absent
        a_worker_does_not_write_the_end
        what_is_due_comes_soonest_first
        of_an_extension_and_a_deletion_one_wins
        notices_are_the_events_of_note
        a_batch_is_listed;
    quota:
        what_is_over_the_quota_is_refused_as_a_whole
        what_is_deleted_counts_no_more
        a_user_may_have_a_quota_of_their_own
        a_repeated_request_is_not_counted_twice
        many_at_once_stay_within_the_quota;
    leases:
        due_rows_are_claimed_oldest_first
        a_claim_brings_company
        two_workers_claim_different_rows
        an_expired_lease_can_be_claimed
        a_worker_that_lost_its_lease_cannot_write
        renewing_prolongs_only_own_leases
        vms_are_claimed_with_their_intents
        the_next_wake_is_the_next_possible_claim
        a_wake_up_moves_a_row_forward
        a_wake_up_during_a_lease_is_not_lost
        a_kept_lease_stays_and_a_released_one_goes;
    commits:
        rows_come_back_with_their_versions
        a_conflict_writes_nothing_of_its_own
        a_conflict_does_not_touch_others
        of_two_writers_one_wins
        one_row_twice_is_a_conflict
        a_wish_is_never_overwritten
        a_second_wish_changes_nothing
        a_wish_for_nothing_answers_nothing
        identity_is_not_written
        a_deleted_environment_stays_deleted
        vms_are_added_once
        events_are_numbered_in_order;
    pool:
        the_longest_assignable_vm_comes_first
        a_vm_fits_the_filter
        an_empty_pool_writes_nothing
        assignment_is_fenced
        assignment_takes_the_vm_from_its_worker
        no_vm_is_given_twice
        a_later_caller_does_not_help_an_earlier_one
        filters_do_not_share_a_vm
        vms_are_listed
        what_the_limit_counts
        vms_that_end_serve_only_who_ends_before
        callers_with_other_ends_at_once_get_other_vms
        demand_is_read_from_environments;
    ledger:
        lines_are_added_and_overwritten
        lines_are_listed_newest_first
        lines_since_a_time_are_listed_by_it
        a_vm_calls_home_once
        a_call_home_wakes_but_not_the_settled
        a_call_home_survives_a_stale_write
        events_are_read_from_a_place_on;
    users:
        a_user_is_added_once
        users_are_listed_by_name
        a_token_needs_its_user
        a_token_is_found_by_its_hash
        a_token_is_withdrawn_once;
    sightings:
        what_is_seen_again_is_counted_and_what_is_not_is_forgotten
        an_older_audit_changes_nothing
        a_finding_told_twice_is_one
        many_findings_are_noted
        one_turn_in_each_interval
        of_many_one_gets_the_turn;
    shared:
        a_value_is_created_once
        a_value_is_swapped_by_whoever_read_it_last
        of_many_swaps_none_is_lost;
    states:
        rights_need_somebody_who_has_them
        rights_are_given_anew_and_taken_away
        a_limited_token_comes_with_its_rights_or_not_at_all
        the_log_is_read_newest_first_and_in_pages;
    exports:
        every_kind_takes_in_what_any_has
        records_are_taken_in_by_an_empty_store_alone
        an_export_that_is_not_whole_changes_nothing
        parts_of_what_only_grows_stay
        an_export_that_nobody_takes_ends;
}
