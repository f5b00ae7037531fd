//! A stand-in for Cloudflare and Contabo, faithful on the wire.
