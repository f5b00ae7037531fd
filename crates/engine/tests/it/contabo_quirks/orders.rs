//! Orders that are refused, or bought and of no use.

use std::time::Duration;

use alfred_local_cloud::contabo::{Options, OrderOutcome, Region, SoldOut, Stock};
use alfred_model::environment::Status;

use super::life::{Life, demo};
use crate::promises;
use crate::world::request;

/// The first order is refused with `words`; `mend` lets the next one through.
async fn refused(options: Options, words: &str, mend: impl FnOnce(&mut Options)) {
    let life = Life::begin(options);
    let id = life.ask(request(1)).await;
    life.rest().await;
    let row = life.row(id).await;
    assert_eq!(row.status, Status::Error);
    assert!(row.reason.as_deref().is_some_and(|reason| reason.contains(words)), "{:?}", row.reason);
    assert_eq!((life.bought().await.len(), life.orders()), (0, 1), "nothing was bought, and nothing sent again");
    life.world.cloud.contabo().adjust(mend);
    life.process.engine.retry(id, false, &row.owner).await.unwrap();
    life.active(id).await;
    life.end(id).await;
}

#[tokio::test(start_paused = true)]
async fn a_product_is_not_sold_any_more() {
    let mut options = demo();
    options.products.retain(|product| product.id != "V153");
    refused(options, "No offer was found for product ID 'V153'", |options| options.products = demo().products).await;
}

#[tokio::test(start_paused = true)]
async fn a_product_that_is_sold_out_is_refused() {
    let stock = vec![Stock { product: "V153".to_owned(), region: Region::Eu, count: 0 }];
    let options = Options { stock, sold_out: SoldOut::Refuse, ..demo() };
    refused(options, "No offer was found", |options| options.stock.clear()).await;
}

#[tokio::test(start_paused = true)]
async fn the_account_may_have_no_more_instances() {
    let options = Options { instance_cap: 0, ..demo() };
    refused(options, "The maximum of 0 instances is reached", |options| options.instance_cap = 75).await;
}

/// What was bought and never becomes a VM is known and shown to a person, and nothing else is bought in its place,
/// whatever its owner does.
async fn ghost(outcome: OrderOutcome, status: &str, reason: &str) {
    let life = Life::begin(demo());
    life.world.cloud.contabo().next_order(outcome);
    let id = life.ask(request(1)).await;
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert_eq!(life.shown().await["status"], status, "the quirk");
    let row = life.row(id).await;
    assert!(row.attention && row.reason.as_deref().is_some_and(|words| words.contains(reason)), "{row:#?}");
    life.process.engine.delete(id, &row.owner).await.unwrap();
    tokio::time::sleep(Duration::from_hours(1)).await;
    promises::hold(&life.world).await;
    assert_eq!(life.row(id).await.status, Status::Deleted);
    assert_eq!((life.bought().await.len(), life.orders()), (1, 1));
    let vms = life.world.store.vms(false).await.unwrap();
    assert!(vms.len() == 1 && vms[0].attention && vms[0].reason.is_some(), "it is not lost: {vms:#?}");
}

#[tokio::test(start_paused = true)]
async fn an_order_may_never_be_paid() {
    ghost(OrderOutcome::PendingPayment, "pending_payment", "Unpaid Orders").await;
}

#[tokio::test(start_paused = true)]
async fn an_order_may_be_taken_of_what_is_sold_out() {
    ghost(OrderOutcome::ProductNotAvailable, "product_not_available", "sold out").await;
}
