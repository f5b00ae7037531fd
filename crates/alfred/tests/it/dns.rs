//! `alfred dns` against a zone of its own: what it costs in calls, what it refuses, and what it never touches.

mod calls;
mod files;
mod looks;
mod safety;
mod stage;
mod trouble;
