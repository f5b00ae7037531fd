//! Parts of the OpenAPI document for types of other crates, which do not know of it.

use alfred_model::environment::{OnFailure, Status, Step};
use alfred_model::event::EventKind;
use alfred_model::intent::{IntentKind, Outcome};
use alfred_model::state::Right;
use alfred_model::state::log::{StateAction, StateOutcome};
use alfred_model::user::Role;
use alfred_model::vm::{VmState, VmStep};
use utoipa::openapi::schema::{Array, ArrayBuilder, Object, ObjectBuilder, Type};

use crate::problem::Code;

fn words<'a>(words: impl Iterator<Item = &'a str>) -> Object {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words)).build()
}

/// The statuses of an environment.
pub(crate) fn status() -> Object {
    words(Status::ALL.iter().map(|word| word.as_str()))
}

/// The steps of an environment.
pub(crate) fn step() -> Object {
    words(Step::ALL.iter().map(|word| word.as_str()))
}

/// The kinds of events.
pub(crate) fn event_kind() -> Object {
    words(EventKind::ALL.iter().map(|word| word.as_str()))
}

/// What becomes of a VM after a failure.
pub(crate) fn on_failure() -> Object {
    words(OnFailure::ALL.iter().map(|word| word.as_str()))
}

/// The roles of users.
pub(crate) fn role() -> Object {
    words(Role::ALL.iter().map(|word| word.as_str()))
}

/// The states of a VM.
pub(crate) fn vm_state() -> Object {
    words(VmState::ALL.iter().map(|word| word.as_str()))
}

/// The steps of a VM.
pub(crate) fn vm_step() -> Object {
    words(VmStep::ALL.iter().map(|word| word.as_str()))
}

/// The kinds of intents.
pub(crate) fn intent_kind() -> Object {
    words(IntentKind::ALL.iter().map(|word| word.as_str()))
}

/// What came of an intent.
pub(crate) fn outcome() -> Object {
    words(Outcome::ALL.iter().map(|word| word.as_str()))
}

/// What came of one order.
pub(crate) fn order_outcome() -> Object {
    words(["would_order", "ordered", "held", "failed", "unknown"].into_iter())
}

/// The kinds of causes for which no VM is bought.
pub(crate) fn hold_kind() -> Object {
    words(["off", "paused", "owned", "month", "failing"].into_iter())
}

/// Rights on states.
pub(crate) fn state_rights() -> Array {
    ArrayBuilder::new().items(words(Right::ALL.iter().map(|word| word.as_str()))).build()
}

/// What is asked for of a state.
pub(crate) fn state_action() -> Object {
    words(StateAction::ALL.iter().map(|word| word.as_str()))
}

/// What came of it.
pub(crate) fn state_outcome() -> Object {
    words(StateOutcome::ALL.iter().map(|word| word.as_str()))
}

/// What became of a resource or output.
pub(crate) fn change_kind() -> Object {
    words(["added", "changed", "removed"].into_iter())
}

/// The codes of refusals.
pub(crate) fn problem_code() -> Object {
    words(Code::ALL.iter().map(|code| code.word()))
}
