//! Tests of the store from outside: what holds for every implementation, and what is special about databases.

mod contract;
mod fixture;
mod model;
mod sql;
