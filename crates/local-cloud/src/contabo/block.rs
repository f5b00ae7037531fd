//! The loopback addresses that one running cloud has for itself, so that two clouds on one computer never give the same
//! address to two machines.
//!
//! The pool is cut into blocks of 65,536 addresses. Whoever listens on the last address of a block has it; the listener
//! is closed by the system when the process ends, however it ends.

use std::io;
use std::net::Ipv4Addr;

use tokio::net::TcpListener;

use super::options::Options;
use crate::machines::MachinesError;

/// How many leading bits the addresses of a block share.
pub(super) const PREFIX: u8 = 16;

/// A block that this process has.
#[derive(Debug)]
pub(super) struct Block {
    /// Its first address.
    pub(super) base: Ipv4Addr,
    _claim: TcpListener,
}

/// Takes a free block of the pool; with `own` that one and no other, because machines live in it already. Nothing, where
/// the pool is no larger than a block, or where addresses of their own cannot be listened on.
pub(super) async fn take(options: &Options, own: Option<Ipv4Addr>) -> Result<Option<Block>, MachinesError> {
    if options.pool_prefix >= PREFIX || !options.pool_base.is_loopback() {
        return Ok(None);
    }
    let blocks = 1_u32 << (PREFIX - options.pool_prefix);
    let first = u32::from(options.pool_base) & (u32::MAX << (32 - PREFIX));
    let all = (0..blocks).map(|number| Ipv4Addr::from(first + (number << (32 - PREFIX))));
    let wanted: Vec<Ipv4Addr> = own.map_or_else(|| all.collect(), |own| vec![own]);
    for base in wanted {
        let [one, two, ..] = base.octets();
        match TcpListener::bind((Ipv4Addr::new(one, two, 255, 254), options.readiness_port)).await {
            Ok(claim) => return Ok(Some(Block { base, _claim: claim })),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            Err(_) => return Ok(None),
        }
    }
    Err(MachinesError::NoAddresses { base: own.unwrap_or(options.pool_base), only: own.is_some() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> Options {
        Options {
            pool_base: Ipv4Addr::new(127, 124, 0, 0),
            pool_prefix: 15,
            readiness_port: 2391,
            ..Options::instant()
        }
    }

    #[tokio::test]
    async fn two_clouds_have_different_blocks_until_there_is_none() {
        let options = options();
        let first = take(&options, None).await.unwrap().unwrap();
        let second = take(&options, None).await.unwrap().unwrap();
        assert_ne!(first.base, second.base);
        let error = take(&options, None).await.unwrap_err();
        assert!(error.to_string().contains("127.124.0.0"), "{error}");
        drop(first);
        assert!(take(&options, None).await.unwrap().is_some());
    }

    #[tokio::test]
    async fn a_cloud_with_machines_takes_its_own_block_or_none() {
        let mut options = options();
        options.readiness_port = 2392;
        let own = Ipv4Addr::new(127, 125, 0, 0);
        let taken = take(&options, Some(own)).await.unwrap().unwrap();
        assert_eq!(taken.base, own);
        let error = take(&options, Some(own)).await.unwrap_err();
        assert!(error.to_string().contains("another local cloud"), "{error}");
    }

    #[tokio::test]
    async fn a_small_pool_is_not_cut() {
        let options = Options { pool_prefix: 24, ..options() };
        assert!(take(&options, None).await.unwrap().is_none());
    }
}
