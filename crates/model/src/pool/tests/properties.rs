//! A small provider with random faults: whatever it does, a VM ends ready or retired once the faults end.

use proptest::prelude::*;

use super::*;

/// What is really there, as opposed to what the row says.
struct World {
    now: Timestamp,
    policy: Policy,
    vm: Vm,
    open: Vec<Intent>,
    intents: u128,
    /// Whether the provider carried out a wipe after the release.
    wiped: bool,
    cancelled: bool,
    /// How many more reads show `installing`.
    installing: u8,
    faults: Vec<u8>,
    history: Vec<String>,
}

impl World {
    fn new(state: VmState, rest: Option<u64>, faults: Vec<u8>) -> Self {
        let step = if state == VmState::Retiring { VmStep::Cancel } else { VmStep::Name };
        let assignable_at = rest.map(|seconds| later(START, Duration::from_secs(seconds)));
        Self {
            now: START,
            policy: Policy::local(),
            vm: Vm { assignable_at, ..vm(state, step) },
            open: Vec::new(),
            intents: 0,
            wiped: false,
            cancelled: false,
            installing: 0,
            faults,
            history: Vec::new(),
        }
    }

    fn chance(&mut self, kinds: u8) -> u8 {
        self.faults.pop().map_or(0, |fault| fault % kinds)
    }

    /// A write: done, refused, put off, lost before it was done, or lost afterwards.
    fn write(&mut self, effect: impl Fn(&mut Self)) -> VmReport {
        let chance = self.chance(5);
        if matches!(chance, 0 | 4) {
            effect(self);
        }
        VmReport::Wrote(match chance {
            1 => Err(Failure::definite("no")),
            2 => Err(Failure::wait("later", Some(Duration::from_secs(1)))),
            3 | 4 => Err(Failure::unknown("lost")),
            _ => Ok(()),
        })
    }

    fn act(&mut self, action: &VmAction) -> VmReport {
        match action {
            VmAction::Rest => VmReport::Nothing,
            VmAction::Name => self.write(|_| {}),
            VmAction::Wipe => self.write(|world| {
                world.wiped = true;
                world.installing = 2;
            }),
            VmAction::Cancel => self.write(|world| world.cancelled = true),
            VmAction::Start => self.write(|_| {}),
            VmAction::Observe => self.observe(),
            VmAction::Reach(_) => VmReport::Reached(self.installing == 0 && self.chance(2) == 0),
        }
    }

    fn observe(&mut self) -> VmReport {
        let fault = self.chance(18);
        if fault == 1 {
            return VmReport::ReadFailed(Failure::wait("500", None));
        }
        if fault == 2 {
            return VmReport::Seen(None);
        }
        let status = match fault.checked_sub(3) {
            Some(number) if usize::from(number) < InstanceStatus::ALL.len() => InstanceStatus::ALL[usize::from(number)],
            _ if self.installing > 0 => InstanceStatus::Installing,
            _ => InstanceStatus::Running,
        };
        self.installing = self.installing.saturating_sub(1);
        let cancel_date = self.cancelled.then(|| jiff::civil::date(2027, 3, 1));
        VmReport::Seen(Some(SeenInstance { cancel_date, ..instance(status) }))
    }

    /// One action, its effect and the next row. Returns whether the row rests.
    fn turn(&mut self) -> bool {
        let action = next(&self.vm);
        let used = action.intent_kind().map(|kind| {
            self.open.iter().find(|intent| intent.kind == kind).cloned().unwrap_or_else(|| {
                self.intents += 1;
                intent(self.intents, kind)
            })
        });
        let report = self.act(&action);
        let before = self.vm.clone();
        let transition = advance(&before, used.as_ref(), report, &at(&self.policy, self.now));
        self.history.push(format!("{action:?} -> {} {}", transition.vm.state, transition.vm.step));
        if let Some(settled) = transition.intent {
            self.open.retain(|known| known.id != settled.id);
            if settled.outcome.is_open() {
                self.open.push(settled);
            }
        }
        self.vm = transition.vm;
        self.check(&before);
        match self.vm.wake_at {
            None => true,
            Some(wake_at) => {
                self.now = self.now.max(wake_at);
                false
            }
        }
    }

    fn check(&self, before: &Vm) {
        if self.vm.state == VmState::Ready {
            assert!(self.wiped, "promise 6: ready without a wipe: {:#?}", self.history);
            assert!(self.vm.wiped_at.is_some() && self.vm.assignable_at.is_some());
        }
        assert!(self.vm.assignable_at >= before.assignable_at, "promise 4: assignable earlier: {:#?}", self.history);
        if self.vm.attention {
            assert!(self.vm.reason.is_some(), "a person is called without a reason: {:#?}", self.history);
        }
        let lost = matches!(self.vm.state, VmState::Ended | VmState::Unknown | VmState::Assigned);
        assert!(!lost, "promise 1: {:#?}", self.history);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Faults delay a VM; none makes it lost, and none makes it ready without a wipe. Only one that was installed anew as
    /// often as may be is kept out, with a reason.
    #[test]
    fn a_released_vm_ends_ready(
        faults in prop::collection::vec(any::<u8>(), 0..60),
        rest in prop::option::of(0_u64..600),
    ) {
        let mut world = World::new(VmState::Preparing, rest, faults);
        let rests = (0..400).any(|_| world.turn());
        prop_assert!(rests, "{:#?}", world.history);
        if world.vm.state == VmState::Quarantined {
            let again = world.history.iter().filter(|line| line.ends_with("preparing wipe")).count();
            let sold_out = world.vm.reason.as_ref().is_some_and(|reason| reason.contains("sold out"));
            prop_assert!(world.vm.attention && (again > 2 || sold_out), "{:#?}", world.history);
            return Ok(());
        }
        prop_assert_eq!((world.vm.state, world.vm.reinstalls), (VmState::Ready, 0));
        prop_assert!(!world.vm.attention && world.vm.reason.is_none());
        prop_assert!(world.open.is_empty(), "{:?}", world.open);
    }

    /// A cancellation is sent until it is accepted and confirmed until it is seen; then the VM is wiped, to be used until
    /// it ends.
    #[test]
    fn a_retired_vm_ends_cancelled(faults in prop::collection::vec(any::<u8>(), 0..60)) {
        let mut world = World::new(VmState::Retiring, None, faults);
        let rests = (0..400).any(|_| world.turn());
        prop_assert!(rests, "{:#?}", world.history);
        prop_assert!(world.cancelled, "{:#?}", world.history);
        prop_assert_eq!(world.vm.step, VmStep::Settled);
        prop_assert!(world.vm.cancel_date.is_some() && world.open.is_empty());
        if world.vm.state != VmState::Quarantined {
            prop_assert_eq!(world.vm.state, VmState::Retiring);
            prop_assert!(world.wiped && world.vm.wiped_at.is_some());
        }
    }
}
