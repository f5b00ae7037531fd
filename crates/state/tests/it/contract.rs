//! What every backend promises, one function for each rule, run on each of them.

pub(crate) mod blobs;
pub(crate) mod documents;
pub(crate) mod races;

/// Runs each rule on each store.
macro_rules! on_every_store {
    ($($group:ident: $($rule:ident)+;)+) => {
        on_every_store!(@ memory $($group: $($rule)+;)+);
        on_every_store!(@ folder $($group: $($rule)+;)+);
        on_every_store!(@ s3 $($group: $($rule)+;)+);
        on_every_store!(@ r2 $($group: $($rule)+;)+);
        on_every_store!(@ sqlite $($group: $($rule)+;)+);
        on_every_store!(@ postgres $($group: $($rule)+;)+);
        on_every_store!(@ nats $($group: $($rule)+;)+);
        on_every_store!(@ nats_over_websocket $($group: $($rule)+;)+);
    };
    (@ $store:ident $($group:ident: $($rule:ident)+;)+) => {
        mod $store {
            $(mod $group {
                $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $rule() {
                    let test = concat!("contract::", stringify!($store), "::", stringify!($rule));
                    if let Some(store) = crate::fixture::$store(test).await {
                        super::super::$group::$rule(&*store).await;
                    }
                })+
            })+
        }
    };
}

on_every_store! {
    documents:
        what_is_not_there_is_absent
        a_document_moves_only_from_the_value_that_is_expected
        a_value_is_seen_by_every_handle
        a_removed_document_is_absent_and_its_revisions_do_not_come_again
        the_longest_document_is_kept_and_a_longer_one_refused
        names_that_look_alike_are_told_apart
        states_are_listed_in_order_and_in_pages
        states_whose_document_was_removed_are_not_listed
        many_values_leave_the_last_one;
    blobs:
        a_blob_is_written_once
        lengths_from_nothing_to_many_chunks_are_kept
        pieces_are_joined
        blobs_are_listed_by_key_with_their_lengths
        blobs_of_other_states_and_keys_are_others
        a_deleted_blob_is_absent_and_may_be_written_again
        forgetting_uploads_keeps_every_blob
        a_blob_needs_no_document_and_outlives_it;
    races:
        of_many_writers_one_wins_each_round
        of_many_creators_one_wins
        a_removal_and_a_change_never_both_win
        of_many_writers_of_one_blob_one_creates_it
        a_reader_beside_a_writer_sees_whole_values_in_order
        a_reader_beside_a_writer_of_blobs_sees_all_or_nothing
        a_writer_whose_upload_is_forgotten_is_told;
}
