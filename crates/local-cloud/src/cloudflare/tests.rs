//! The rules of the API, one test each, through the router as a client would meet them.

mod batch;
mod listing;
mod records;
mod tokens;
mod transfer;
mod zones;
