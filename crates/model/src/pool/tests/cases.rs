//! One case after the other.

use super::*;

#[test]
fn each_status_at_each_step_that_looks_is_decided() {
    let policy = Policy::local();
    let soon = later(START, policy.install_grace / 2);
    for status in InstanceStatus::ALL {
        let status = *status;
        let seen = || VmReport::Seen(Some(instance(status)));

        let installing = Vm { install_seen: true, ..vm(VmState::Preparing, VmStep::Install) };
        let after = advance(&installing, None, seen(), &at(&policy, soon)).vm;
        let (step, attention) = match status {
            InstanceStatus::Running => (VmStep::Reach, false),
            InstanceStatus::Provisioning
            | InstanceStatus::Installing
            | InstanceStatus::Stopped
            | InstanceStatus::Uninstalled
            | InstanceStatus::Rescue
            | InstanceStatus::ResetPassword
            | InstanceStatus::Unknown
            | InstanceStatus::Error
            | InstanceStatus::Other => (VmStep::Install, false),
            InstanceStatus::PendingPayment
            | InstanceStatus::VerificationRequired
            | InstanceStatus::ManualProvisioning => (VmStep::Install, true),
            InstanceStatus::ProductNotAvailable => (VmStep::Settled, true),
        };
        let dead = status == InstanceStatus::ProductNotAvailable;
        let state = if dead { VmState::Quarantined } else { VmState::Preparing };
        assert_eq!((after.state, after.step, after.attention), (state, step, attention), "{status}");
        assert_eq!(after.reason.is_none(), status == InstanceStatus::Running, "{status}: a wait has a reason");

        let late = later(START, policy.vm_deadline);
        let after = advance(&installing, None, seen(), &at(&policy, late)).vm;
        let again = matches!(progress(&instance(status)), Progress::Wait(_) | Progress::Stopped | Progress::Failed(_));
        let step = if again { VmStep::Wipe } else { step };
        assert_eq!((after.step, after.attention), (step, attention), "{status}, late");
        assert_eq!(after.reinstalls, u32::from(again), "{status}, late");

        // A cancellation is confirmed by its date, whatever the VM does.
        let cancelled = Vm { wiped_at: Some(START), ..vm(VmState::Retiring, VmStep::ConfirmCancel) };
        let after = advance(&cancelled, None, seen(), &at(&policy, soon)).vm;
        assert_eq!((after.state, after.step), (VmState::Retiring, VmStep::ConfirmCancel), "{status}");
        let dated = SeenInstance { cancel_date: Some(jiff::civil::date(2027, 3, 1)), ..instance(status) };
        let after = advance(&cancelled, None, VmReport::Seen(Some(dated)), &at(&policy, soon));
        assert_eq!((after.vm.step, after.vm.wake_at), (VmStep::Settled, None), "{status}");
        assert_eq!(after.wake, cancelled.released_by, "{status}: whoever waits is woken");
    }
    assert_eq!(InstanceStatus::ALL.len(), 14);
}

#[test]
fn each_state_and_step_has_one_action() {
    for state in VmState::ALL {
        for step in VmStep::ALL {
            let action = next(&vm(*state, *step));
            let expected = match (state, step) {
                (VmState::Preparing, VmStep::Name) => VmAction::Name,
                (VmState::Preparing, VmStep::Wipe) => VmAction::Wipe,
                (VmState::Preparing, VmStep::Start) => VmAction::Start,
                (VmState::Preparing, VmStep::Install) | (VmState::Retiring, VmStep::ConfirmCancel) => VmAction::Observe,
                (VmState::Preparing, VmStep::Reach) => VmAction::Reach(ADDRESS),
                (VmState::Retiring, VmStep::Cancel) => VmAction::Cancel,
                _ => VmAction::Rest,
            };
            assert_eq!(action, expected, "{state} {step}");
            let writes = matches!(action, VmAction::Name | VmAction::Wipe | VmAction::Start | VmAction::Cancel);
            assert_eq!(action.intent_kind().is_some(), writes, "{state} {step}: a write has an intent");
        }
    }
    let unknown = Vm { address: None, ..vm(VmState::Preparing, VmStep::Reach) };
    assert_eq!(next(&unknown), VmAction::Observe, "an address must be known first");
    let rest = advance(&vm(VmState::Ready, VmStep::Settled), None, VmReport::Nothing, &at(&Policy::local(), START));
    assert_eq!(rest.vm.wake_at, None);
}

#[test]
fn what_fails_is_tried_again_for_ever() {
    let policy = Policy::local();
    let year = later(START, Duration::from_hours(24 * 365));
    for (state, step, kind) in [
        (VmState::Preparing, VmStep::Wipe, IntentKind::InstallVm),
        (VmState::Retiring, VmStep::Cancel, IntentKind::CancelVm),
    ] {
        let row = Vm { attempts: 10_000, ..vm(state, step) };
        for failure in [Failure::definite("no"), Failure::wait("later", None), Failure::unknown("lost")] {
            let intent = intent(1, kind);
            let report = VmReport::Wrote(Err(failure.clone()));
            let after = advance(&row, Some(&intent), report, &at(&policy, year));
            assert_eq!((after.vm.state, after.vm.step), (state, step), "{failure:?}");
            assert!(after.vm.wake_at.is_some_and(|wake_at| wake_at >= year), "{failure:?}");
            assert!(after.vm.attention, "{failure:?}: after a year a person looks");
            assert_eq!(after.vm.reason.as_deref(), Some(failure.words.as_str()));
            assert!(after.intent.unwrap().outcome.is_open(), "{failure:?}: it is not settled");
        }
    }
    let row = vm(VmState::Preparing, VmStep::Install);
    let failed = advance(&row, None, VmReport::ReadFailed(Failure::wait("500", None)), &at(&policy, START)).vm;
    assert_eq!((failed.step, failed.attempts, failed.attention), (VmStep::Install, 1, false));
}

#[test]
fn a_refusal_calls_a_person_at_once_and_a_success_dismisses_him() {
    let policy = Policy::local();
    let intent = intent(1, IntentKind::InstallVm);
    let refused = VmReport::Wrote(Err(Failure::definite("image not found")));
    let row = advance(&vm(VmState::Preparing, VmStep::Wipe), Some(&intent), refused, &at(&policy, START)).vm;
    assert!(row.attention);
    assert_eq!(row.wake_at, Some(later(START, policy.backoff_cap)), "no hurry: the same request is refused again");
    let done = advance(&row, Some(&intent), VmReport::Wrote(Ok(())), &at(&policy, START));
    assert_eq!((done.vm.step, done.vm.attention, done.vm.attempts), (VmStep::Install, false, 0));
    assert_eq!(done.intent.unwrap().outcome, Outcome::Done);
}

#[test]
fn the_provider_s_word_on_waiting_is_kept() {
    let policy = Policy::local();
    let hour = Duration::from_hours(1);
    let report = VmReport::Wrote(Err(Failure::wait("429", Some(hour))));
    let after = advance(&vm(VmState::Preparing, VmStep::Wipe), None, report, &at(&policy, START)).vm;
    assert_eq!(after.wake_at, Some(later(START, hour)));
}

#[test]
fn a_display_name_holds_nobody_up() {
    let policy = Policy::local();
    let intent = intent(1, IntentKind::NameVm);
    let mut row = vm(VmState::Preparing, VmStep::Name);
    let mut attempts = 0;
    while row.step == VmStep::Name {
        attempts += 1;
        assert!(attempts <= 3, "it is a label");
        row = advance(&row, Some(&intent), VmReport::Wrote(Err(Failure::unknown("lost"))), &at(&policy, START)).vm;
    }
    assert_eq!((row.step, row.display_name.as_str()), (VmStep::Wipe, "alfredos-brave-tiger"));
    let refused = VmReport::Wrote(Err(Failure::definite("no")));
    let at_once = advance(&vm(VmState::Preparing, VmStep::Name), Some(&intent), refused, &at(&policy, START));
    assert_eq!(at_once.vm.step, VmStep::Wipe);
    assert_eq!(at_once.intent.unwrap().outcome, Outcome::Rejected);
    let named = advance(&vm(VmState::Preparing, VmStep::Name), None, VmReport::Wrote(Ok(())), &at(&policy, START));
    assert_eq!(named.vm.display_name, "alfredos-pool.100");
}

#[test]
fn running_before_the_installation_was_seen_is_the_old_system() {
    let policy = Policy::local();
    let row = vm(VmState::Preparing, VmStep::Install);
    let running = || VmReport::Seen(Some(instance(InstanceStatus::Running)));
    let early = advance(&row, None, running(), &at(&policy, START)).vm;
    assert_eq!((early.step, early.install_seen), (VmStep::Install, false));
    let seen = advance(&row, None, VmReport::Seen(Some(instance(InstanceStatus::Installing))), &at(&policy, START)).vm;
    assert!(seen.install_seen);
    assert_eq!(advance(&seen, None, running(), &at(&policy, START)).vm.step, VmStep::Reach);
    let over = later(START, policy.install_grace);
    assert_eq!(
        advance(&row, None, running(), &at(&policy, over)).vm.step,
        VmStep::Reach,
        "it was too short to be seen"
    );
}

#[test]
fn a_vm_that_cannot_be_reached_is_wiped_again_at_its_deadline() {
    let policy = Policy::local();
    let row = vm(VmState::Preparing, VmStep::Reach);
    let just_before = later(START, policy.reach_deadline.checked_sub(Duration::from_millis(1)).unwrap());
    let waits = advance(&row, None, VmReport::Reached(false), &at(&policy, just_before)).vm;
    assert_eq!((waits.step, waits.attention), (VmStep::Reach, false));
    let late = later(START, policy.reach_deadline);
    let again = advance(&row, None, VmReport::Reached(false), &at(&policy, late)).vm;
    assert_eq!((again.state, again.step, again.step_since), (VmState::Preparing, VmStep::Wipe, late));
    assert_eq!((again.reinstalls, again.attention), (1, false), "nobody needs to act yet");
    assert!(again.reason.is_some());
    let row = vm(VmState::Preparing, VmStep::Install);
    assert!(!advance(&row, None, VmReport::Seen(None), &at(&policy, START)).vm.attention);
    let hidden = advance(&row, None, VmReport::Seen(None), &at(&policy, later(START, policy.vm_deadline))).vm;
    assert_eq!((hidden.step, hidden.attention), (VmStep::Install, true), "it is never given up");
}

#[test]
fn a_vm_without_an_address_is_never_ready() {
    let policy = Policy::local();
    let row = Vm { address: None, install_seen: true, ..vm(VmState::Preparing, VmStep::Install) };
    let running = || VmReport::Seen(Some(SeenInstance { address: None, ..instance(InstanceStatus::Running) }));
    let after = advance(&row, None, running(), &at(&policy, START)).vm;
    assert_eq!((after.step, after.attention), (VmStep::Install, false));
    let late = advance(&row, None, running(), &at(&policy, later(START, policy.vm_deadline))).vm;
    assert_eq!((late.step, late.attention), (VmStep::Install, true));
}

#[test]
fn a_vm_becomes_assignable_never_earlier_than_it_was() {
    let policy = Policy::local();
    let now = later(START, Duration::from_mins(1));
    let quarantined = later(START, Duration::from_mins(5));
    for (before, expected) in [(None, now), (Some(START), now), (Some(quarantined), quarantined)] {
        let row = Vm { assignable_at: before, ..vm(VmState::Preparing, VmStep::Reach) };
        let ready = advance(&row, None, VmReport::Reached(true), &at(&policy, now));
        assert_eq!(ready.vm.assignable_at, Some(expected), "{before:?}");
        assert_eq!((ready.vm.state, ready.vm.step), (VmState::Ready, VmStep::Settled));
        assert_eq!((ready.vm.wiped_at, ready.vm.wake_at, ready.vm.released_by), (Some(now), None, None));
        assert_eq!(ready.wake, row.released_by);
    }
}

#[test]
fn a_wipe_without_an_answer_may_come_late_and_keeps_the_vm_back() {
    let policy = Policy::local();
    let lost = || VmReport::Wrote(Err(Failure::unknown("lost")));
    let row = vm(VmState::Preparing, VmStep::Wipe);
    let after = advance(&row, None, lost(), &at(&policy, START)).vm;
    assert_eq!(after.assignable_at, Some(later(START, policy.write_grace)));
    let quarantined = later(START, Duration::from_hours(1));
    let row = Vm { assignable_at: Some(quarantined), ..row };
    assert_eq!(advance(&row, None, lost(), &at(&policy, START)).vm.assignable_at, Some(quarantined));
}

#[test]
fn a_cancellation_is_confirmed_and_shown_to_a_person_if_that_takes_long() {
    let policy = Policy::local();
    let intent = intent(1, IntentKind::CancelVm);
    let row = vm(VmState::Retiring, VmStep::Cancel);
    let asked = advance(&row, Some(&intent), VmReport::Wrote(Ok(())), &at(&policy, START));
    assert_eq!((asked.vm.state, asked.vm.step), (VmState::Retiring, VmStep::ConfirmCancel));
    assert_eq!(asked.wake, None, "it is not confirmed yet");
    let running = || VmReport::Seen(Some(instance(InstanceStatus::Running)));
    assert!(!advance(&asked.vm, None, running(), &at(&policy, START)).vm.attention);
    let late = advance(&asked.vm, None, running(), &at(&policy, later(START, policy.vm_deadline))).vm;
    assert_eq!((late.step, late.attention), (VmStep::ConfirmCancel, true));
}

#[test]
fn an_adopted_vm_is_wiped_before_anything_else() {
    let row = adopted(&instance(InstanceStatus::Running), None, START);
    assert_eq!((row.state, row.step, row.wiped_at), (VmState::Preparing, VmStep::Name, None));
    assert!(!row.install_seen);
}

#[test]
fn what_the_provider_leaves_out_is_kept() {
    let row = vm(VmState::Preparing, VmStep::Install);
    let running = instance(InstanceStatus::Running);
    let display_name = "alfredos-renamed-by-hand".to_owned();
    let bare = SeenInstance { address: None, display_name, product: String::new(), region: String::new(), ..running };
    let now = later(START, Duration::from_secs(1));
    assert_eq!(observed(&row, &bare, now), row);
    let moved = SeenInstance { address: Some(Ipv4Addr::new(127, 64, 0, 9)), ..bare };
    let seen = observed(&row, &moved, now);
    assert_eq!((seen.address, seen.updated_at), (moved.address, now));
    // The answer to the rename was lost, and it was carried out.
    let renamed = observed(&row, &instance(InstanceStatus::Running), now);
    assert_eq!(renamed.display_name, pool_display_name(row.id));
}

#[test]
fn a_vm_that_does_not_come_up_is_installed_anew_twice_and_then_kept_out() {
    let policy = Policy::local();
    let late = later(START, policy.reach_deadline);
    let mut row = vm(VmState::Preparing, VmStep::Reach);
    for number in 1..=policy.reinstalls_max {
        row = advance(&row, None, VmReport::Reached(false), &at(&policy, late)).vm;
        assert_eq!((row.state, row.step, row.reinstalls), (VmState::Preparing, VmStep::Wipe, number));
        row = Vm { step: VmStep::Reach, step_since: START, ..row };
    }
    let kept_out = advance(&row, None, VmReport::Reached(false), &at(&policy, late));
    assert_eq!(
        (kept_out.vm.state, kept_out.vm.step, kept_out.vm.wake_at),
        (VmState::Quarantined, VmStep::Settled, None)
    );
    assert!(kept_out.vm.attention && kept_out.vm.wiped_at.is_none());
    let reason = kept_out.vm.reason.clone().unwrap();
    assert!(reason.contains("installed anew 2 times") && reason.contains("`alfred vm adopt 100`"), "{reason}");
    assert_eq!(kept_out.wake, row.released_by, "whoever waits is told");
    assert_eq!(next(&kept_out.vm), VmAction::Rest);

    let again = taken_back(&kept_out.vm, late).unwrap();
    assert_eq!(
        (again.state, again.step, again.reinstalls, again.attention),
        (VmState::Preparing, VmStep::Name, 0, false)
    );
    assert!(again.wake_at.is_some() && again.reason.is_none());
}

#[test]
fn a_success_forgets_earlier_installations() {
    let policy = Policy::local();
    let row = Vm { reinstalls: 2, ..vm(VmState::Preparing, VmStep::Reach) };
    assert_eq!(advance(&row, None, VmReport::Reached(true), &at(&policy, START)).vm.reinstalls, 0);
}

#[test]
fn a_vm_that_is_off_is_started_once_its_installation_must_be_over() {
    let policy = Policy::local();
    let row = vm(VmState::Preparing, VmStep::Install);
    let off = || VmReport::Seen(Some(instance(InstanceStatus::Stopped)));
    assert_eq!(advance(&row, None, off(), &at(&policy, START)).vm.step, VmStep::Install);
    let over = later(START, policy.install_grace);
    let start = advance(&row, None, off(), &at(&policy, over)).vm;
    assert_eq!((start.step, next(&start)), (VmStep::Start, VmAction::Start));
    let intent = intent(1, IntentKind::StartVm);
    let started = advance(&start, Some(&intent), VmReport::Wrote(Ok(())), &at(&policy, over));
    assert_eq!(started.vm.step, VmStep::Install);
    assert_eq!(started.intent.unwrap().outcome, Outcome::Done);
}

#[test]
fn a_failed_installation_is_believed_only_after_a_while() {
    let policy = Policy::local();
    let row = vm(VmState::Preparing, VmStep::Install);
    let failed = || VmReport::Seen(Some(instance(InstanceStatus::Error)));
    let early = advance(&row, None, failed(), &at(&policy, START)).vm;
    assert_eq!((early.step, early.reinstalls), (VmStep::Install, 0), "it may be from before");
    let over = later(START, policy.install_grace);
    assert_eq!(advance(&row, None, failed(), &at(&policy, over)).vm.step, VmStep::Wipe);
}

#[test]
fn a_cancelled_vm_is_wiped_and_used_until_it_ends() {
    let policy = Policy::local();
    let dated = SeenInstance { cancel_date: Some(jiff::civil::date(2027, 3, 1)), ..instance(InstanceStatus::Running) };
    let confirm = |row: &Vm| advance(row, None, VmReport::Seen(Some(dated.clone())), &at(&policy, START)).vm;
    let unwiped = confirm(&vm(VmState::Retiring, VmStep::ConfirmCancel));
    assert_eq!((unwiped.state, unwiped.step), (VmState::Preparing, VmStep::Name));
    let reached = Vm { step: VmStep::Reach, ..unwiped };
    let wiped = advance(&reached, None, VmReport::Reached(true), &at(&policy, START));
    assert_eq!((wiped.vm.state, wiped.vm.step), (VmState::Retiring, VmStep::Settled), "it is never simply ready");
    assert!(wiped.vm.wiped_at.is_some() && wiped.wake.is_some());
    let known_bad = Vm { reinstalls: policy.reinstalls_max, ..vm(VmState::Retiring, VmStep::ConfirmCancel) };
    assert_eq!(confirm(&known_bad).state, VmState::Retiring, "one that does not come up is left alone");
    let unbuilt = SeenInstance { address: None, ..dated.clone() };
    let row = Vm { address: None, ..vm(VmState::Retiring, VmStep::ConfirmCancel) };
    let retired = advance(&row, None, VmReport::Seen(Some(unbuilt)), &at(&policy, START)).vm;
    assert_eq!((retired.state, retired.step), (VmState::Retiring, VmStep::Settled), "nothing is there to be wiped");
    assert!(!fits(&retired, Some(START), later(START, Duration::from_hours(1))), "and nobody gets it");
}

#[test]
fn a_vm_is_never_given_to_whom_it_would_not_outlive() {
    let last_day = jiff::civil::date(2027, 3, 10);
    let time = |text: &str| text.parse::<Timestamp>().unwrap();
    let now = time("2027-03-01T00:00:00Z");
    let ready = Vm { wiped_at: Some(START), ..vm(VmState::Ready, VmStep::Settled) };
    let ends = Vm { cancel_date: Some(last_day), ..ready.clone() };
    let retiring = Vm { state: VmState::Retiring, ..ends.clone() };
    let short = Some(time("2027-03-09T00:00:00Z"));
    let long = Some(time("2027-03-09T00:00:01Z"));
    assert!(fits(&ready, None, now) && fits(&ready, short, now) && fits(&ready, long, now));
    for vm in [&ends, &retiring] {
        assert!(fits(vm, short, now), "{}", vm.state);
        assert!(!fits(vm, long, now), "{}: a day must be left", vm.state);
        assert!(!fits(vm, None, now), "{}: who never ends needs one that does not", vm.state);
        assert!(!fits(&Vm { wiped_at: None, ..vm.clone() }, short, now), "{}: promise 6", vm.state);
        assert!(!fits(&Vm { step: VmStep::ConfirmCancel, ..vm.clone() }, short, now), "{}", vm.state);
        assert!(!fits(&Vm { assignable_at: long, ..vm.clone() }, short, now), "{}: promise 4", vm.state);
    }
    for state in VmState::ALL.iter().filter(|state| !matches!(state, VmState::Ready | VmState::Retiring)) {
        assert!(!fits(&Vm { state: *state, ..ready.clone() }, short, now), "{state}");
    }
}

#[test]
fn only_a_vm_that_nobody_uses_can_be_cancelled_and_only_once() {
    for state in VmState::ALL {
        let row = vm(*state, VmStep::Settled);
        let cancelled = to_cancel(&row, START);
        match state {
            VmState::Ready | VmState::Preparing | VmState::Quarantined | VmState::Unknown => {
                let cancelled = cancelled.unwrap();
                assert_eq!((cancelled.state, cancelled.step), (VmState::Retiring, VmStep::Cancel), "{state}");
                assert_eq!(cancelled.wake_at, Some(START), "{state}");
            }
            VmState::Assigned => assert_eq!(cancelled, Err(CancelRefused::Assigned(row.id))),
            VmState::Retiring => assert_eq!(cancelled, Err(CancelRefused::UnderWay(row.id))),
            VmState::Ended => assert_eq!(cancelled, Err(CancelRefused::Ended(row.id))),
        }
        let last_day = jiff::civil::date(2027, 3, 10);
        let dated = Vm { cancel_date: Some(last_day), ..vm(*state, VmStep::Settled) };
        assert!(to_cancel(&dated, START).is_err(), "{state}");
    }
}

#[test]
fn only_what_stands_still_is_taken_back() {
    for state in VmState::ALL {
        let stands_still = matches!(state, VmState::Quarantined | VmState::Unknown);
        assert_eq!(taken_back(&vm(*state, VmStep::Settled), START).is_some(), stands_still, "{state}");
    }
}

#[test]
fn a_vm_that_is_not_shown_ends_only_if_somebody_gave_it_up_and_it_stays_away() {
    let policy = Policy::local();
    let (soon, late) = (later(START, policy.vm_deadline / 2), later(START, policy.vm_deadline));
    let gone = || VmReport::Seen(None);
    for step in [VmStep::Install, VmStep::Reach] {
        for (now, attention) in [(soon, false), (late, true)] {
            let kept = advance(&vm(VmState::Preparing, step), None, gone(), &at(&policy, now)).vm;
            assert_eq!((kept.state, kept.step, kept.attention), (VmState::Preparing, step, attention), "{step}");
            assert!(kept.reason.unwrap().contains("`alfred vm cancel 100`"), "{step}");
        }
    }
    for step in [VmStep::Cancel, VmStep::ConfirmCancel] {
        let waits = advance(&vm(VmState::Retiring, step), None, gone(), &at(&policy, soon));
        assert_eq!((waits.vm.state, waits.vm.step, waits.wake), (VmState::Retiring, step, None));
        assert!(waits.vm.wake_at.unwrap() > soon, "{step}: it is looked at again");
        let before = vm(VmState::Retiring, step);
        let ends = advance(&before, None, gone(), &at(&policy, late));
        assert_eq!((ends.vm.state, ends.vm.step, ends.vm.wake_at), (VmState::Ended, VmStep::Settled, None), "{step}");
        assert_eq!(ends.wake, before.released_by, "{step}: whoever waits for it is woken");
    }
}

#[test]
fn what_was_to_be_written_at_a_vm_ends_with_it() {
    let open = intent(1, IntentKind::InstallVm);
    let unknown = Intent { outcome: Outcome::Unknown, ..intent(2, IntentKind::CancelVm) };
    let done = Intent { outcome: Outcome::Done, ..intent(3, IntentKind::NameVm) };
    let closed = given_up_with(&[open.clone(), unknown.clone(), done], START);
    let ids: Vec<_> = closed.iter().map(|intent| intent.id).collect();
    assert_eq!(ids, [open.id, unknown.id], "what is settled stays as it is");
    assert!(closed.iter().all(|one| one.outcome == Outcome::Abandoned && one.settled_at == Some(START)), "{closed:?}");
}

#[test]
fn a_cancelled_vm_that_cannot_be_wiped_rests_until_it_ends() {
    let policy = Policy::local();
    let open = intent(1, IntentKind::InstallVm);
    let last_day = Some(jiff::civil::date(2027, 3, 1));
    let refused = || VmReport::Wrote(Err(Failure::definite("it is not provisioned yet")));
    let cancelled = Vm { cancel_date: last_day, ..vm(VmState::Preparing, VmStep::Wipe) };
    let first = advance(&cancelled, Some(&open), refused(), &at(&policy, START)).vm;
    assert_eq!((first.state, first.step), (VmState::Preparing, VmStep::Wipe), "a refusal may pass");
    let late = at(&policy, later(START, policy.vm_deadline));
    let after = advance(&cancelled, Some(&open), refused(), &late);
    assert_eq!((after.vm.state, after.vm.step, after.vm.wake_at), (VmState::Retiring, VmStep::Settled, None));
    assert!(!after.vm.attention && after.vm.wiped_at.is_none());
    assert!(!fits(&after.vm, Some(START), START), "promise 6: it was not wiped");
    assert_eq!(after.intent.map(|intent| intent.outcome), Some(Outcome::Rejected));
    assert_eq!(after.wake, cancelled.released_by);

    let unsure = VmReport::Wrote(Err(Failure::unknown("no answer")));
    assert_eq!(advance(&cancelled, Some(&open), unsure, &late).vm.step, VmStep::Wipe, "it may work yet");
    let goes_on = vm(VmState::Preparing, VmStep::Wipe);
    let after = advance(&goes_on, Some(&open), refused(), &late).vm;
    assert_eq!((after.step, after.attention), (VmStep::Wipe, true), "a VM that is paid for is not given up");
}
